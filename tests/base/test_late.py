import subprocess
import sys

CODE = """
import sys, stacklab.base.late as late
sys.modules["noted"] = type(sys)("noted")
calls = sys.modules["noted"].calls = []
sys.modules["noted"].call = lambda: calls.append("colorsys" in sys.modules)
late.after_import("colorsys", "noted", "call")
assert "colorsys" not in sys.modules and not calls
import colorsys
assert calls == [True] and colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
late.after_import("colorsys", "noted", "call")
assert calls == [True, True]
late.after_import("there_is_no_such_module", "noted", "call")
try:
    import there_is_no_such_module
except ModuleNotFoundError as error:
    assert error.name == "there_is_no_such_module" and len(calls) == 2
"""


def test_a_call_waits_for_the_import_and_comes_at_once_after_it() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
