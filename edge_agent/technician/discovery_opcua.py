"""Asks OPC UA servers who they are: the list of endpoints that each gives to everybody.

No session is opened (GetEndpoints: OPC 10000-4, section 5.4.4).
"""

import asyncio
from collections.abc import Sequence

from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from edge_agent.technician.scanning import Answer, Outcome, Question


async def asked(questions: Sequence[Question], timeout_s: float) -> list[Answer]:
    """Return what came of questions, in their order."""
    return [await _asked(question, timeout_s) for question in questions]


async def _asked(question: Question, timeout_s: float) -> Answer:
    url = f"opc.tcp://{question.address}"
    try:
        async with asyncio.timeout(timeout_s):
            found = await Client(url, timeout=timeout_s).connect_and_get_server_endpoints()
    except (TimeoutError, OSError) as error:
        detail = str(error) or type(error).__name__
        return Answer(question=question, outcome=Outcome.CLOSED, detail=detail)
    except (UaError, ConnectionError, ValueError) as error:
        detail = str(error) or type(error).__name__
        return Answer(question=question, outcome=Outcome.OTHER, detail=detail)
    if not found:
        return Answer(question=question, outcome=Outcome.OTHER, detail="offers no endpoint")
    server = found[0].Server
    says = {
        "application": str(server.ApplicationName.Text or ""),
        "product": str(server.ProductUri or ""),
        "security": ", ".join(
            sorted({str(one.SecurityPolicyUri).rpartition("#")[2] for one in found})
        ),
    }
    return Answer(question=question, outcome=Outcome.ANSWERS, says=says)
