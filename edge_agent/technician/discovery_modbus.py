"""Asks Modbus units who they are: one request each, which only reads.

Read Device Identification (function 43, type 14: Modbus Application Protocol V1.1b3, section 6.21).
A unit that does not know it refuses it, and so is found as well.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest

from edge_agent.config.endpoint import SERIAL, Endpoint
from edge_agent.drivers.base import LinkClosedError
from edge_agent.drivers.modbus_link import Answer as Frame
from edge_agent.drivers.modbus_link import Link
from edge_agent.technician.scanning import Answer, Outcome, Question

FUNCTION: Final = 0x2B
TYPE: Final = 0x0E
REFUSED: Final = FUNCTION | 0x80
# Read Device Identification, basic, from the first object on.
BASIC: Final = 1
# Section 6.21, table of objects.
OBJECTS: Final = {0: "vendor", 1: "product", 2: "revision"}
HEADER_SIZE: Final = 7


class Inquiry(Link):
    """A connection on which units are asked who they are."""

    async def identify(self, question: Question) -> Answer:
        """Return what came of one question.

        Raises:
            LinkClosedError: the connection is of no more use.

        """
        request = ReadDeviceInformationRequest(
            read_code=BASIC, object_id=0, dev_id=question.unit_id
        )
        self._is_asking = True
        try:
            # Ours is the decoder: the answer is whole, whatever it holds.
            frame = await self._client.execute(False, request)  # noqa: FBT003 - pymodbus' own
        except ConnectionException as error:
            raise LinkClosedError(f"{question.address}: closed during the exchange") from error
        except ModbusIOException:
            return Answer(question=question, outcome=Outcome.SILENT, detail="no answer of the unit")
        finally:
            self._is_asking = False
        return _answer(question, frame if isinstance(frame, Frame) else None)


class RtuInquiry(Inquiry):
    """The same on a line without numbers of requests."""

    is_numbered = False


async def asked(questions: Sequence[Question], timeout_s: float) -> list[Answer]:
    """Return what came of questions to one host or line, in their order."""
    first = questions[0]
    if first.line is None:
        endpoint = Endpoint(scheme="tcp", host=first.host, port=first.port)
        link: Inquiry = Inquiry(endpoint, timeout_s=timeout_s)
    else:
        endpoint = Endpoint(scheme=SERIAL, path=first.path, line=first.line)
        link = RtuInquiry(endpoint, timeout_s=timeout_s)
    found: list[Answer] = []
    try:
        await link.open()
        for question in questions:
            found.append(await link.identify(question))  # noqa: PERF401 - kept when one fails
    except LinkClosedError as error:
        left = questions[len(found) :]
        found += [Answer(question=q, outcome=Outcome.CLOSED, detail=str(error)) for q in left]
    finally:
        link.close()
    return found


def _answer(question: Question, frame: Frame | None) -> Answer:
    if frame is None or frame.dev_id != question.unit_id:
        told = "" if frame is None else f"answered as unit {frame.dev_id}"
        return Answer(question=question, outcome=Outcome.OTHER, detail=told)
    octets = frame.frame
    if octets[:1] == bytes((REFUSED,)):
        detail = f"does not tell who it is (exception {octets[1] if len(octets) > 1 else 0})"
        return Answer(question=question, outcome=Outcome.ANSWERS, detail=detail)
    if octets[:2] != bytes((FUNCTION, TYPE)) or len(octets) < HEADER_SIZE:
        return Answer(question=question, outcome=Outcome.OTHER, detail=octets[:8].hex(" "))
    return Answer(question=question, outcome=Outcome.ANSWERS, says=_objects(octets))


def _objects(octets: bytes) -> Mapping[str, str]:
    """Return the objects of an answer, as far as they are whole."""
    says: dict[str, str] = {}
    at = HEADER_SIZE
    while at + 2 <= len(octets):
        number, size = octets[at], octets[at + 1]
        text = octets[at + 2 : at + 2 + size]
        if len(text) == size:
            printable = "".join(c if c.isprintable() else "?" for c in text.decode("latin-1"))
            says[OBJECTS.get(number, f"object {number}")] = printable.strip()
        at += 2 + size
    return says
