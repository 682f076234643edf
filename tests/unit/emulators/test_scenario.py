"""Scenario files and their sentences."""

from pathlib import Path

import pytest

from orchestrator.emulators.scenario import ScenarioError, load, shipped

_STORIES = {
    "queue_then_agent",
    "two_holds",
    "hold_toggled",
    "payment_during_hold",
    "survey_transfer",
    "stream_breaks_error_then_stopped",
    "stream_breaks_stopped_only",
    "stream_breaks_error_only",
    "stream_breaks_silent",
    "desktop_reports_holds",
    "hangs_up_while_starting",
}


def _write(folder: Path, *sentences: str) -> Path:
    path = folder / "story.toml"
    listed = "".join(f'  "{sentence}",\n' for sentence in sentences)
    path.write_text(f'title = "A story"\nnumber = "+15555550100"\nsteps = [\n{listed}]\n')
    return path


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_scenario_can_be_read(name: str) -> None:
    """Each begins with a call and ends with its end."""
    scenario = load(shipped()[name])
    assert scenario.steps[0].sentence == "customer calls"
    assert scenario.steps[-1].sentence == "wait until ended"


def test_the_stories_are_there() -> None:
    """One scenario for each story that the service is measured by."""
    assert set(shipped()) >= _STORIES


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
