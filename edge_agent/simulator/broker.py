"""The MQTT broker of the simulator: amqtt on loopback, for a demonstration and nothing else.

amqtt 0.12.1 keeps sessions, but does not send again what was not acknowledged: what a killed agent
had not stored is lost with it. A plant needs a broker that does, as mosquitto.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from edge_agent.errors import ExitCode, OperatorError

# amqtt tells every connection and every packet that it finds odd.
LOGGERS = ("amqtt", "transitions")


@asynccontextmanager
async def broker(port: int, host: str = "127.0.0.1") -> AsyncIterator[None]:
    """Run a broker that lets anybody in until the end of the block.

    Raises:
        OperatorError: the port is in use.

    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    running = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )
    try:
        await running.start()
    except (BrokerError, OSError) as error:
        raise OperatorError(
            f"{host}:{port}: cannot listen there. Is it in use? Choose another --port",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error
    try:
        yield
    finally:
        await running.shutdown()
