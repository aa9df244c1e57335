"""The stacked hourglass against pytorch-pose's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden

from pose_jax.models.cost import count_parameters
from pose_jax.skeleton import MPII16


@pytest.fixture(scope="module")
def golden(goldens):
  config = {"name": "hourglass", "num_stacks": 2}
  return Golden(goldens, "hourglass_s2_b1", config, MPII16)


@pytest.fixture(scope="module")
def first_step(golden):
  return golden.first_step()


def test_reference_parameters(golden):
  assert count_parameters(golden.variables["params"]) == 6_730_912
  assert golden.arrays["params"] == 6_730_912


def test_reference_evaluation_outputs(golden):
  errors = golden.evaluation_errors()
  assert len(errors) == 2 and max(errors) < 1e-5


def test_reference_training_outputs_and_loss(golden, first_step):
  (loss, (stages, _)), _ = first_step
  assert max(golden.training_errors(stages)) < 1e-3
  np.testing.assert_allclose(loss, golden.arrays["train_loss"], rtol=1e-5)


def test_reference_gradients(golden, first_step):
  norm_errors, dot_errors = golden.gradient_errors(first_step[1])
  assert len(norm_errors) == 288  # all but the biases that a norm swallows
  assert max(norm_errors) < 0.01
  # Rounding turns a few ReLUs on or off; see the run in float64 below.
  assert max(dot_errors) < 0.05


def test_reference_running_statistics(golden, first_step):
  (_, (_, batch_stats)), _ = first_step
  norms, first = golden.running_statistics(batch_stats)
  # The deepest layers see 8 values per channel: biased variances would be 12 %
  # off.
  np.testing.assert_allclose(norms, golden.arrays["bn_after_l2"], rtol=1e-4)
  np.testing.assert_allclose(
    first, golden.arrays["bn_after_first"], rtol=1e-3, atol=2e-4
  )


def test_reference_in_float64(goldens, monkeypatch):
  """Gradients and five Adam steps, where rounding does not decide.

  Adam divides a gradient by its own size, so after few steps rounding is
  large: in float64 a change of the weights by 1e-8 of their size moves the
  fifth loss by up to 8 %, and float32 does as much (torch's own 0.6 %).
  """
  with jax.enable_x64(True):
    monkeypatch.setattr(jnp, "float32", jnp.float64)
    config = {"name": "hourglass", "num_stacks": 2}
    golden = Golden(goldens, "hourglass_s2_b1", config, MPII16)
    golden.model = golden.model.clone(dtype=jnp.float64)
    golden.variables = jax.tree.map(np.float64, golden.variables)
    _, gradients = golden.first_step()
    norm_errors, dot_errors = golden.gradient_errors(gradients)
    assert max(norm_errors) < 1e-9 and max(dot_errors) < 1e-9
    expected = golden.arrays["adam_losses"]
    np.testing.assert_allclose(golden.adam_losses(), expected, rtol=1e-7)
