"""`edge-agent watch`: the channels of a running agent in a terminal, from 80 x 24 on.

It asks the agent once a second over its socket, which takes no orders: there is nothing here that
could change anything. What is shown is made in `showing`.
"""

from typing import ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Static
from textual.worker import get_current_worker

from edge_agent.clock import SystemClock
from edge_agent.errors import OperatorError
from edge_agent.technician.look import Ask, Look, look
from edge_agent.technician.showing import (
    REGISTERS,
    VALUES,
    Line,
    Mood,
    event_line,
    fitted_to,
    lines,
)

LOOK_S: Final = 1.0
# An agent with very many channels takes its time to answer: it is left alone so many times as long.
REST: Final = 9
# So many lines are drawn at most; the rest is found with `b`.
MOST_LINES: Final = 2000
EVENT_LINES: Final = 4
STYLES: Final = {
    Mood.WELL: Style(),
    Mood.ODD: Style(color="yellow"),
    Mood.BAD: Style(color="red", bold=True),
    Mood.UNKNOWN: Style(dim=True),
}


class Watch(App[None]):
    """One table of channels, a line about the agent above it, and the last events below."""

    CSS = """
    #agent { height: 1; background: $primary-background; }
    #channels { height: 1fr; scrollbar-size-horizontal: 0; }
    #events { height: 4; color: $text-muted; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "registers", "registers/values"),
        Binding("b", "troubled", "bad only/all"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, ask: Ask) -> None:
        """Take what asks the agent for a page."""
        super().__init__()
        self._ask = ask
        self._look: Look | None = None
        self._clock = SystemClock()
        self._rest_until_ns = 0
        self._is_asking = False
        self._shows_registers = False
        self._is_troubled_only = False
        self._drawn: dict[str, tuple[str, ...]] = {}
        self._moods: dict[str, Mood] = {}

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield Static("asking the agent ...", id="agent", markup=False)
        yield DataTable[Text](id="channels", cursor_type="row", cell_padding=0)
        yield Static("", id="events", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self._begin_table()
        self.set_interval(LOOK_S, self._ask_after_rest)
        self.ask_again()

    def action_registers(self) -> None:
        """Show raw words instead of values, or values again."""
        self._shows_registers = not self._shows_registers
        self._begin_table()
        self._draw()

    def action_troubled(self) -> None:
        """Show only what is not well, or everything again."""
        self._is_troubled_only = not self._is_troubled_only
        self._begin_table()
        self._draw()

    def ask_again(self) -> None:
        """Ask the agent, unless it has not answered the last time yet."""
        if not self._is_asking:
            self._is_asking = True
            self._wait_for_answer()

    def _ask_after_rest(self) -> None:
        if self._clock.now().mono_ns >= self._rest_until_ns:
            self.ask_again()

    @work(thread=True)
    def _wait_for_answer(self) -> None:
        """Ask in a thread: an agent that is busy must not freeze the screen."""
        worker = get_current_worker()
        found: Look | None = None
        asked_ns = self._clock.now().mono_ns
        problem = "the agent is not running"
        try:
            found = look(self._ask)
        except OperatorError as error:
            problem = str(error)
        if not worker.is_cancelled:
            self.call_from_thread(self._answered, found, problem, asked_ns)

    def _answered(self, found: Look | None, problem: str, asked_ns: int) -> None:
        now_ns = self._clock.now().mono_ns
        self._rest_until_ns = now_ns + REST * (now_ns - asked_ns)
        self._is_asking = False
        if found is None:
            self.query_one("#agent", Static).update(Text(problem, style="bold red"))
            return
        self._look = found
        self._draw()

    def _begin_table(self) -> None:
        table = self.query_one(DataTable)
        table.clear(columns=True)
        self._drawn, self._moods = {}, {}
        for column in REGISTERS if self._shows_registers else VALUES:
            # One blank after each column: with padding the widest ones would not fit.
            table.add_column(column.heading, key=column.heading, width=column.width + 1)

    def _draw(self) -> None:
        """Draw the last answer; a cell that is as it was is left alone."""
        if self._look is None:
            return
        now_ns, registers = self._look.at_ns, self._shows_registers
        found = lines(self._look.channels, now_ns=now_ns, registers=registers)
        shown = [one for one in found if not self._is_troubled_only or one.mood is not Mood.WELL]
        shown = shown[:MOST_LINES]
        keys = [str(one.channel) for one in shown]
        if keys != list(self._drawn):
            self._begin_table()
        for key, one in zip(keys, shown, strict=True):
            self._draw_line(key, one)
        width = self.size.width
        about = Text(
            fitted_to(self._look.headline, width),
            style="bold red" if self._look.alarms else "bold",
        )
        self.query_one("#agent", Static).update(about)
        told = [fitted_to(event_line(one), width) for one in self._look.events[-EVENT_LINES:]]
        self.query_one("#events", Static).update("\n".join(told))

    def _draw_line(self, key: str, line: Line) -> None:
        table: DataTable[Text] = self.query_one(DataTable)
        cells = [Text(cell, style=STYLES[line.mood]) for cell in line.cells]
        before = self._drawn.get(key)
        if before is None:
            table.add_row(*cells, key=key)
        else:
            columns = REGISTERS if self._shows_registers else VALUES
            is_new_mood = self._moods[key] is not line.mood
            for column, cell, was in zip(columns, cells, before, strict=True):
                if is_new_mood or cell.plain != was:
                    table.update_cell(key, column.heading, cell)
        self._drawn[key], self._moods[key] = line.cells, line.mood
