"""Progress where there is no terminal."""

from launch import progress


def test_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
  times = iter([100.0, 105.0, 110.5, 112.0, 121.0, 200.0, 211.0])
  monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
  bar = progress.ProgressBar("drawing", "pictures")
  for done in (1, 600, 1200, 1400, 3600):
    bar(done, 3600)
  bar(1, 2)  # another round starts its clock anew
  assert capsys.readouterr().err == "drawing: 1,200 of 3,600 pictures\n"
