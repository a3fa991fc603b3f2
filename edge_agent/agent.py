"""The life of the daemon, on one screen: what is entered last stops first.

Stop reading, end the intake, sign and commit what was read, send what can be sent, close. Storage
is opened before anything of the network, so that nothing is read that could not be kept.
"""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from edge_agent.applying import Applying, Line
from edge_agent.buffer.records import Boot, Held
from edge_agent.buffer.salvage import Standby
from edge_agent.buffer.store import BufferUnavailableError, open_buffer
from edge_agent.clock import NS_PER_S, Clock, SystemClock, boot_id
from edge_agent.committer import Committer
from edge_agent.config.model import AgentFile
from edge_agent.config.plan import Plan
from edge_agent.configured import Configured, clock_of, documents_kept, told_lasting
from edge_agent.hardware import hardware_facts
from edge_agent.health.server import serve_health
from edge_agent.health.systemd import Notifier, Progress, feed_watchdog, watchdog_s
from edge_agent.identity import NextKey, credentials_folder, load_receipt_keys
from edge_agent.lifetime import Order, Orders, beside, until_done
from edge_agent.overview import Overview
from edge_agent.pipeline import Ending, Intake
from edge_agent.polling import Pollers
from edge_agent.rekeying import Rekeying, settled_key
from edge_agent.sameness import hardware_changes
from edge_agent.uplink.client import Uplink, open_uplink

# An orderly stop: what was read is committed within one limit, and sent within another. What is
# not sent is durable, and goes after the next start.
COMMIT_LIMIT_S = 10.0
FLUSH_LIMIT_S = 5.0
# Uploading goes on so long after the storage could not be read.
STORAGE_PAUSE_S = 60

log = structlog.get_logger()


async def run(plan: Plan, reread: Callable[[], Plan], *, software: str) -> None:
    """Poll, judge, sign, keep and upload, until SIGTERM or SIGINT.

    Args:
        plan: the checked configuration.
        reread: reads the configuration again, when SIGHUP asks for it.
        software: what of this product runs, as its boot event tells it.

    """
    settings, progress = plan.settings, Progress()
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"))
    limit_s = watchdog_s(os.environ, pid=os.getpid())
    hardware = hardware_facts(settings.buffer.path.parent)
    boot = Boot(boot_id=boot_id(), software=software, hardware=hardware)
    keys = NextKey(key_file=settings.gateway.key_file)
    active = Configured.of(plan, settled_key(keys, settings.buffer.path, credentials_folder()))
    active = active.knowing(*keys.earlier)
    clock = await clock_of(SystemClock(), settings.buffer.path, active.origin, boot.boot_id)
    uploader = active.uploader(load_receipt_keys(settings.centre.receipt_key_file))
    fraction = secrets.SystemRandom().random
    intake = Intake(active.judges, clock=clock, commit_interval_s=settings.buffer.commit_interval_s)
    pollers = Pollers(intake, clock=clock, progress=progress)
    async with (
        open_buffer(settings.buffer, origin=active.origin, clock=clock, boot=boot) as buffer,
        open_uplink(buffer, settings.centre, uploader, clock=clock, fraction=fraction) as uplink,
    ):
        await documents_kept(buffer, plan)
        intake.remember(await buffer.marks())
        intake.clock_watch.begin(clock.held_ns)
        for changed in await hardware_changes(buffer, hardware, now=clock.now()):
            intake.record(changed)
        salvage = Standby(
            buffer, settings.buffer.path, origin=active.origin, clock=clock, tell=intake.told
        )
        plan = active.plan
        committer = Committer(intake, buffer)
        overview = Overview(plan, intake, committer, uplink, clock=clock, software=software)
        overview.lasts_days = await told_lasting(plan)
        overview.salvage = salvage.status
        rekeying = Rekeying(keys, committer, clock=clock)
        line = Line(
            intake=intake,
            committer=committer,
            pollers=pollers,
            overview=overview,
            rekeying=rekeying,
        )
        applying = Applying(active, line, reread, clock=clock)
        async with (
            Orders() as orders,
            beside(serve_health(settings.health, overview.sources(progress), clock)),
            beside(feed_watchdog(notifier, progress, clock, limit_s=limit_s)),
            beside(certified(settings, uplink, clock, fraction)),
            uploading(uplink, clock),
            until_done(committer.run(), limit_s=COMMIT_LIMIT_S),
            Ending(intake),
            beside(salvage.run()),
            pollers,
            beside(applying.watch(orders.give)),
            beside(rekeying.watch()),
        ):
            await applying.start()
            notifier.ready(f"polling {len(plan.devices)} devices")
            while (order := await orders.next()) is not Order.STOP:
                notifier.reloading()
                # A full buffer can hold a reload for ever; it must not hold a stop.
                notifier.ready(await orders.until_stop(applying.carry_out(order)) or "stopping")
            notifier.stopping()
    log.info("agent.stopped")


async def certified(
    settings: AgentFile, uplink: Uplink[Held], clock: Clock, fraction: Callable[[], float]
) -> None:
    """Keep our TLS certificate good, where there is one; never ends before it must."""
    if settings.centre.certificate_file is None or settings.centre.url.startswith("http:"):
        return
    # Certificates take 4 MB, which a gateway without them keeps.
    from edge_agent.enrol.renewal import Renewal  # noqa: PLC0415 - see above

    await Renewal(settings, uplink.show_new_certificate, clock=clock, fraction=fraction).keep()


@asynccontextmanager
async def uploading(uplink: Uplink[Held], clock: Clock) -> AsyncIterator[None]:
    """Upload beside a block; afterwards send what can be sent within the limit."""
    async with beside(kept_up(uplink.upload, clock)):
        yield
    with suppress(BufferUnavailableError):
        await uplink.flush(FLUSH_LIMIT_S)


async def kept_up(upload: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Upload for ever: storage that cannot be read is tried again, and is not the agent's end."""
    while True:
        try:
            await upload()
        except BufferUnavailableError as error:
            log.warning("upload.postponed", reason=str(error))
            await clock.sleep_until(clock.now().mono_ns + STORAGE_PAUSE_S * NS_PER_S)
