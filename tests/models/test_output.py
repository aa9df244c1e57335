"""PoseOutput: a pytree whose empty fields are no leaves."""

import jax
import jax.numpy as jnp

from pose_jax.models.output import PoseOutput, maps_to_look_at


def test_empty_fields_are_no_leaves():
  output = PoseOutput(heatmaps=jnp.ones((1, 2, 3, 4)))
  assert [leaf.shape for leaf in jax.tree.leaves(output)] == [(1, 2, 3, 4)]


def test_output_passes_through_jit_and_eval_shape():
  def forward(x):
    return PoseOutput(heatmaps=x, stages=(x,), attention={"gate": x[..., :1]})

  x = jnp.arange(24.0).reshape(1, 2, 3, 4)
  output = jax.jit(forward)(x)
  assert (output.attention["gate"] == x[..., :1]).all()
  shapes = jax.eval_shape(forward, x)
  assert shapes.stages[0].shape == x.shape
  assert shapes.links is None


def test_links_and_the_last_lifted_map_are_looked_at_with_attention():
  maps = [jnp.full((1, 2, 2, 1), float(i)) for i in range(4)]
  output = PoseOutput(heatmaps=maps[0], attention={"part": maps[0]})
  assert maps_to_look_at(output) == {"part": maps[0]}
  output = output.replace(links=maps[1], lifted=maps[2])
  found = maps_to_look_at(output)
  assert list(found) == ["part", "links", "lifted"]
  assert found["links"] is maps[1] and found["lifted"] is maps[2]
  found = maps_to_look_at(output.replace(lifted=(maps[2], maps[3])))
  assert found["lifted"] is maps[3]


def test_attention_is_not_shared_between_outputs():
  assert PoseOutput().attention is not PoseOutput().attention
