"""What a person does about each refusal of the centre."""

from typing import Final

from edge_agent.enrol.answers import Refused
from edge_agent.errors import ExitCode, OperatorError

_NEW_TOKEN: Final = (
    "ask the central team for another: central-sync gateway token NAME --facility ID"  # noqa: S105 - a sentence
)
_AGAIN: Final = "do this again"
_REMEDIES: Final = {
    "token_unknown": f"look for a typing mistake; else {_NEW_TOKEN}",
    "token_expired": _NEW_TOKEN,
    "token_used": f"if it was not you, say so at once; else {_NEW_TOKEN} --again",
    "token_void": _NEW_TOKEN,
    "other_gateway": "take the token of this gateway, or move its agent.toml away",
    "gateway_revoked": "nothing more is taken from this gateway: ask the central team why",
    "key_taken": "a key belongs to one gateway: move the file of the key away, and do this again",
    "key_unknown": "enrol anew: central-sync gateway token NAME --again there, enroll --again here",
    "key_revoked": "enrol anew with another key: ask the central team",
    "no_authority": "ask the central team who certifies gateways",
    "nonce": _AGAIN,
}


def refusal(refused: Refused) -> OperatorError:
    """Return a refusal as an operator's error, with what to do about it."""
    remedy = _REMEDIES.get(refused.code, "look at the log of the centre")
    busy = refused.status in {429, 503}
    return OperatorError(
        f"the centre refused ({refused.code}): {refused.detail}. {remedy[0].upper()}{remedy[1:]}",
        exit_code=ExitCode.TRY_AGAIN if busy else ExitCode.BAD_DATA,
    )
