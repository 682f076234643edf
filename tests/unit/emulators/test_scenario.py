"""Scenario files and their sentences."""

from pathlib import Path

import pytest

from orchestrator.emulators.scenario import SCENARIOS, ScenarioError, load, shipped

_STORIES = {
    "queue_then_agent",
    "two_holds",
    "hold_toggled",
    "payment_during_hold",
    "survey_transfer",
    "stream_breaks_error_then_stopped",
    "stream_breaks_stopped_then_error",
    "stream_breaks_stopped_only",
    "stream_breaks_error_only",
    "stream_breaks_silent",
    "desktop_reports_holds",
    "hangs_up_while_starting",
    "consult_and_takeover",
    "agent_holds_herself",
    "three_way",
    "coach_listens_and_barges_in",
    "cold_transfer",
}
_NEED_A_PROFILE = {
    "survey_after_dial",
    "survey_after_agent_leaves",
    "outbound",
    "outbound_transfer",
    "outbound_survey",
    "outbound_busy",
    "agent_to_agent",
    "taskrouter_conference",
    "taskrouter_dequeue",
    "taskrouter_warm_transfer",
    "taskrouter_cold_transfer",
    "consent",
    "forgotten_hold",
    "forgotten_payment_pause",
    "cold_transfer_nobody_comes",
    "no_agent_busy",
    "no_agent_no_answer",
    "queue_full",
}


def _write(folder: Path, *sentences: str) -> Path:
    path = folder / "story.toml"
    listed = "".join(f'  "{sentence}",\n' for sentence in sentences)
    path.write_text(f'title = "A story"\nnumber = "+15555550100"\nsteps = [\n{listed}]\n')
    return path


@pytest.mark.parametrize("name", sorted(shipped(with_needs=True)))
def test_every_shipped_scenario_can_be_read(name: str) -> None:
    """Each has a call near its beginning and ends with its end, at a number that may not be anybody's."""
    scenario = load(shipped(with_needs=True)[name])
    opening = [step.sentence for step in scenario.steps[:2]]
    assert any(words.startswith("customer calls") or " dials " in words or " calls " in words for words in opening)
    assert scenario.steps[-1].sentence in {"wait until ended", "wait until the call is over"}
    assert scenario.number.startswith("+155555501")


def test_the_stories_are_there() -> None:
    """One scenario for each story that the service is measured by; those that need a profile on demand."""
    assert set(shipped()) >= _STORIES
    assert set(shipped(with_needs=True)) - set(shipped()) >= _NEED_A_PROFILE


def test_every_number_is_in_the_table() -> None:
    """The README says what the profile of each number must say."""
    table = (SCENARIOS / "README.md").read_text()
    numbers = {load(path).number for path in shipped(with_needs=True).values()}
    assert [number for number in sorted(numbers) if f"| {number} |" not in table] == []


def test_an_unknown_sentence_names_file_and_line(tmp_path: Path) -> None:
    """The message leads to the very line, also when the sentence before is the same."""
    path = _write(tmp_path, "customer calls", "wait 2", "wait 2", "customer sings")
    with pytest.raises(ScenarioError, match=r"story\.toml:7: .*customer sings"):
        load(path)


def test_a_sentence_is_read_whole(tmp_path: Path) -> None:
    """A sentence with a tail that means nothing is unknown."""
    with pytest.raises(ScenarioError):
        load(_write(tmp_path, "customer is held for ever"))


def test_steps_know_their_lines(tmp_path: Path) -> None:
    """Repeated sentences have lines of their own."""
    steps = load(_write(tmp_path, "customer calls", "wait 2", "wait 2")).steps
    assert [step.line for step in steps] == [4, 5, 6]


@pytest.mark.parametrize(
    "content", ["title = ", 'title = "A"\nnumber = "1"', 'title = "A"\nnumber = "1"\nsteps = []\nx = 1']
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    """Title, number and steps, nothing else."""
    path = tmp_path / "story.toml"
    path.write_text(content)
    with pytest.raises(ScenarioError, match=r"story\.toml"):
        load(path)
