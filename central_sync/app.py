"""The centre put together: the one place that knows which store, which clock and which server.

Nesting order is stop order: the server stops taking requests first, then what it fed.
"""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import DatabaseError

from central_sync import __version__
from central_sync.api import fleet, hourly, problem
from central_sync.api import log as log_api
from central_sync.api.admittance import Admittance, Rules
from central_sync.api.body import BodyReader
from central_sync.api.enrolment import EnrolmentRoutes
from central_sync.api.files import Files
from central_sync.api.headers import SecurityHeaders
from central_sync.api.service import Service, StoreCollector
from central_sync.api.uploads import Uploads
from central_sync.config import CentreSettings, ExitCode, OperatorError
from central_sync.enrol.office import Office
from central_sync.evaluate.hour import Evaluator
from central_sync.evaluate.plan_file import load_plan
from central_sync.ingest.admit import admit
from central_sync.ingest.allowance import Allowances
from central_sync.ingest.bundles import Bundles
from central_sync.ingest.committer import Committer
from central_sync.ingest.decoder import Decoders, ReadBodies, read_here
from central_sync.ingest.metrics import IngestMetrics
from central_sync.ingest.receipt_key import (
    load_receipt_key,
    make_receipt_key,
    public_pem,
    receipts_by,
)
from central_sync.ingest.upload import Ingest
from central_sync.listening import Server, server_config
from central_sync.model import AlarmCode
from central_sync.pages import routes
from central_sync.programs.plan import Plan
from central_sync.store.embedded import EmbeddedStore
from central_sync.store.migrations.upgrade import NewerSchemaError, upgrade
from central_sync.store.port import NowNs, Store
from central_sync.store.segments import SegmentFolder
from central_sync.tls import Security
from central_sync.witness.checkpoints import Witness, retire
from central_sync.witness.keeper import Keeper
from central_sync.witness.sealing import Sealer
from central_sync.worker import Worker
from edge_agent.wire.signing import SigningKey

log = structlog.get_logger()


def utc_ns() -> int:
    """Return the present, UTC nanoseconds: the only place where the centre reads a clock."""
    return time.time_ns()  # noqa: TID251 - this is the centre's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The parts that live as long as the process.

    `log_fault`: why the log was not what was vouched for when it was opened; None: it was.
    """

    settings: CentreSettings
    store: Store
    receipt_key: SigningKey
    witness: Witness
    now_ns: NowNs
    log_fault: str | None

    def security(self) -> Security | None:
        """Return what the settings make of TLS; None without."""
        return Security.of(self.settings, now_ns=self.now_ns)


def migrate(settings: CentreSettings) -> tuple[str | None, str | None]:
    """Make or upgrade the state folder; return the schema's revision before and after.

    Raises:
        OperatorError: the folder cannot be written, or holds what this release cannot read.

    """
    try:
        settings.state.mkdir(mode=0o750, parents=True, exist_ok=True)
        settings.parts.mkdir(mode=0o750, exist_ok=True)
        make_receipt_key(settings.receipt_key)
        make_receipt_key(settings.log_key)
        return upgrade(f"sqlite:///{settings.database}")
    except OSError as fault:
        raise OperatorError(
            f"{settings.state}: cannot be used as state folder: {fault.strerror}",
            exit_code=ExitCode.PERMISSION,
        ) from fault
    except NewerSchemaError as fault:
        raise OperatorError(str(fault), exit_code=ExitCode.CONFIGURATION) from fault
    except DatabaseError as fault:
        raise OperatorError(
            f"{settings.database}: cannot be used: {fault.orig}", exit_code=ExitCode.BAD_DATA
        ) from fault


@contextmanager
def opened(
    settings: CentreSettings, *, now_ns: NowNs = utc_ns, may_restart_log: bool = False
) -> Iterator[Centre]:
    """Yield the centre's parts over its state folder, which is migrated first.

    `may_restart_log`: only for the service, beside which no other holds the log's key.
    """
    migrate(settings)
    key = load_receipt_key(settings.receipt_key)
    store = EmbeddedStore(settings.database, admit=admit, sign=receipts_by(key), now_ns=now_ns)
    try:
        witness, log_fault = _witness(settings, store, may_restart=may_restart_log)
        store.begin_log(witness.note_key, key.verifying_key)
        yield Centre(
            settings=settings,
            store=store,
            receipt_key=key,
            witness=witness,
            now_ns=now_ns,
            log_fault=log_fault,
        )
    finally:
        store.close()


def _witness(
    settings: CentreSettings, store: Store, *, may_restart: bool
) -> tuple[Witness, str | None]:
    """Return who vouches for the log, and why it is not what was vouched for, if it is not.

    A store that was restored from a backup goes on, and so does its log, but under a new key:
    never under the name that signed what is no longer true.
    """
    file = settings.log_checkpoint
    witness = Witness(store=store, key=load_receipt_key(settings.log_key), file=file)
    fault = witness.fault()
    if fault is None:
        return witness, None
    store.raise_alarm(AlarmCode.LOG, None, detail=fault)
    if not may_restart:
        return witness, fault
    retire(witness, settings.log_key)
    make_receipt_key(settings.log_key)
    return Witness(store=store, key=load_receipt_key(settings.log_key), file=file), fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind the web application while it serves.

    `worker` is told when there may be something to compute; `security` is None without TLS;
    `read_bodies` reads new batches.
    """

    committer: Committer
    plan: Plan
    worker: Worker
    security: Security | None
    read_bodies: ReadBodies


def web(centre: Centre, behind: Behind) -> FastAPI:
    """Return the web application; what is behind it must be running while it serves."""
    committer, plan, worker = behind.committer, behind.plan, behind.worker
    settings, store = centre.settings, centre.store
    app = FastAPI(title="EmissionWatch centre", version=__version__, docs_url=None, redoc_url=None)
    problem.install(app)
    registry = CollectorRegistry()
    registry.register(StoreCollector(store))
    bodies = BodyReader(settings.limits)
    ingest = Ingest(
        store=store,
        committer=committer,
        receipt_key=centre.receipt_key.verifying_key,
        metrics=IngestMetrics.register(registry),
        on_stored=worker.stored,
        allowances=Allowances(settings.limits, time.monotonic),
        read_bodies=behind.read_bodies,
    )
    bundles = Bundles(store=store, allow_simulated=settings.allow_simulated)
    app.router.routes += Uploads(ingest, bodies).routes
    app.router.routes += Files(bundles, bodies, worker.wake).routes
    app.router.routes += Service(store, registry).routes
    app.router.routes += _enrolment(centre, behind.security, bodies).routes
    app.include_router(fleet.router(store))
    app.include_router(hourly.router(store, centre.now_ns))
    app.include_router(log_api.router(store, centre.witness.note_key))
    app.include_router(
        routes.router(
            routes.Pages(store=store, plan=plan, parts=settings.parts, now_ns=centre.now_ns)
        )
    )
    is_open = settings.tls is not None and settings.tls.readers == "anyone"
    rules = Rules(store=store, now_ns=centre.now_ns, is_open_to_readers=is_open)
    app.add_middleware(Admittance, rules=rules)
    app.add_middleware(SecurityHeaders)
    return app


def _enrolment(centre: Centre, security: Security | None, bodies: BodyReader) -> EnrolmentRoutes:
    authority = None if security is None else security.authority
    return EnrolmentRoutes(
        office=Office(centre.store, authority, now_ns=centre.now_ns),
        bodies=bodies,
        now_ns=centre.now_ns,
        receipt_keys=public_pem(centre.receipt_key.verifying_key).decode("ascii"),
        trust=None if security is None else security.trust,
    )


@asynccontextmanager
async def serving(
    centre: Centre, listener: socket.socket, *, read_bodies: ReadBodies = read_here
) -> AsyncIterator[Server]:
    """Serve on a socket while the body runs; on the way out requests under way are finished."""
    committer = Committer(centre.store)
    plan = load_plan(centre.settings.plan)
    evaluator = Evaluator(store=centre.store, plan=plan, parts=centre.settings.parts)
    worker = Worker(evaluator, now_ns=centre.now_ns)
    security = centre.security()
    behind = Behind(
        committer=committer, plan=plan, worker=worker, security=security, read_bodies=read_bodies
    )
    config = server_config(centre.settings, web(centre, behind))
    server = Server(config)
    context = None if security is None else security.context()
    async with asyncio.TaskGroup() as fed:
        background = [
            fed.create_task(committer.run()),
            fed.create_task(worker.run()),
            fed.create_task(_keeper(centre).run()),
        ]
        if security is not None and context is not None:
            config.load()
            config.ssl = context  # uvicorn can make one from files only
            background.append(fed.create_task(security.keep_fresh(context)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            try:
                yield server
            finally:
                server.should_exit = True
        for task in background:
            task.cancel()


def _keeper(centre: Centre) -> Keeper:
    """Return what makes checkpoints and seals segments."""
    settings = centre.settings
    sealer = Sealer(
        store=centre.store,
        folder=SegmentFolder(settings.segments),
        now_ns=centre.now_ns,
        seal_after_ns=round(settings.witness.seal_after_s * 1e9),
    )
    return Keeper(
        witness=centre.witness,
        sealer=sealer,
        interval_s=settings.witness.checkpoint_interval_s,
    )


async def serve(centre: Centre, listener: socket.socket, told: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `told` is called with the address once it answers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host, port = listener.getsockname()[:2]
    scheme = "http" if centre.settings.tls is None else "https"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    with Decoders() as decoders:
        async with serving(centre, listener, read_bodies=decoders):
            if centre.log_fault is not None:
                log.error("log.rewritten", reason=centre.log_fault)
            log.info("centre.started", address=address, state=str(centre.settings.state))
            told(address)
            await stop.wait()
            log.info("centre.stopping")
    log.info("centre.stopped")
