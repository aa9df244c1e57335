"""What every experiment's network costs: a table, read from shapes alone.

    python -m benchmarks.networks [NAME ...]

NAME is an experiment, paper001/hierarchical or paper000/crf:part; without one,
every file and every variant in its VARIANTS that has a network of its own.
Nothing is compiled or run. Three numbers for one person:

parameters  trained numbers; batch statistics are not among them.
multiply-adds  of the forward pass while testing, of convolutions and matrix
  products (`pose_jax.models.cost`), and divided by 1024**3, which the
  literature prints as GFLOPs.
kept  activation memory: bytes of the arrays that jax.vjp of the heatmaps' loss
  by the parameters holds between the forward and the backward pass, for a batch
  of one person, each array once, in the type that it is computed in. What the
  losses of links and lifted maps hold besides, at most a map for each, is left
  out. Counted is
  what follows from the crop: neither the crop itself nor parameters, constants
  and targets. XLA recomputes some of it and needs room for gradients besides:
  it compares networks, it does not forecast a device's peak.
"""

import argparse
import dataclasses
import importlib
import math
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from launch.config_file import config_files
from launch.experiment import Experiment, make_experiment
from launch.mistakes import suggest
from pose_jax.models.cost import count_multiply_adds, count_parameters
from pose_jax.train.losses import LOSSES
from pose_jax.train.state import abstract_variables
from pose_jax.train.supervision import supervised_loss

FOLDER = pathlib.Path(__file__).parents[1] / "configs"


@dataclasses.dataclass(frozen=True)
class Cost:
  """Of one person.

  Attributes:
    parameters: trained numbers.
    multiply_adds: of a forward pass.
    kept_bytes: of a forward pass for the backward pass.
  """

  parameters: int
  multiply_adds: int
  kept_bytes: int


def main() -> None:
  """Prints the table, row by row."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument(
    "names",
    nargs="*",
    metavar="NAME",
    type=known,
    help="FILE[:VARIANT] below configs/, such as paper000/crf:part; without "
    "one, everything that has a network of its own",
  )
  names = parser.parse_args().names or all_names()
  print("| experiment | input | parameters | multiply-adds | / 1024^3 | kept |")
  print("| --- | --- | --- | --- | --- | --- |", flush=True)
  for name in names:
    experiment = load(name)
    cost = cost_of(experiment)
    height, width = experiment.frames.crop_hw
    print(
      f"| {name} | {height}x{width} | {cost.parameters / 1e6:.2f} M | "
      f"{cost.multiply_adds / 1e9:.2f} G | "
      f"{cost.multiply_adds / 1024**3:.2f} | "
      f"{cost.kept_bytes / 2**20:.1f} MiB |",
      flush=True,
    )


def all_names() -> list[str]:
  """Experiments with a network of their own, in the order of their files."""
  found: dict[str, str] = {}
  for path in config_files(FOLDER):
    file = path.relative_to(FOLDER).with_suffix("").as_posix()
    module = _module(file)
    for variant in ("", *getattr(module, "VARIANTS", ())):
      config = module.get_config(variant)
      network = f"{config.model.to_dict()} {tuple(config.data.crop_hw)}"
      found.setdefault(network, f"{file}:{variant}" if variant else file)
  return list(found.values())


def known(name: str) -> str:
  """The name itself, if there is such an experiment."""
  file, _, variant = name.partition(":")
  files = [
    path.relative_to(FOLDER).with_suffix("").as_posix()
    for path in config_files(FOLDER)
  ]
  if file not in files:
    raise argparse.ArgumentTypeError(
      f"configs/ has no experiment {file!r}; {suggest(file, files)}"
    )
  try:
    _module(file).get_config(variant)
  except ValueError as error:
    raise argparse.ArgumentTypeError(str(error)) from error
  return name


def load(name: str) -> Experiment:
  """The experiment of FILE[:VARIANT] below configs/."""
  file, _, variant = name.partition(":")
  return make_experiment(_module(file).get_config(variant))


def _module(file: str) -> Any:
  return importlib.import_module(f"configs.{file.replace('/', '.')}")


def cost_of(experiment: Experiment) -> Cost:
  """What the experiment's network costs a person."""
  variables = abstract_variables(experiment.model, experiment.frames.crop_hw)

  def forward(variables, images):
    return experiment.model.apply(variables, images, train=False).stages

  return Cost(
    parameters=count_parameters(variables["params"]),
    multiply_adds=count_multiply_adds(
      forward, variables, _abstract(1, *experiment.frames.crop_hw, 3)
    ),
    kept_bytes=kept_bytes(experiment, variables),
  )


def kept_bytes(experiment: Experiment, variables: Any) -> int:
  """Bytes between the forward and the backward pass of a step on a person."""
  loss = LOSSES[experiment.config.loss.name]
  num = experiment.skeleton.num_keypoints

  def residuals(images, variables, heatmaps, weight):
    def objective(params):
      output, _ = experiment.model.apply(
        {**variables, "params": params},
        images,
        train=True,
        mutable=["batch_stats"],
      )
      return supervised_loss(output, heatmaps, weight, loss)

    return jax.tree.leaves(jax.vjp(objective, variables["params"])[1])

  jaxpr = jax.make_jaxpr(residuals)(
    _abstract(1, *experiment.frames.crop_hw, 3),
    variables,
    _abstract(1, *experiment.frames.map_hw, num),
    _abstract(1, num),
  ).jaxpr
  follows = {jaxpr.invars[0]}  # from the crop
  for equation in jaxpr.eqns:
    if any(_is_in(follows, argument) for argument in equation.invars):
      follows.update(equation.outvars)
  kept = {v for v in jaxpr.outvars if _is_in(follows, v)} - {jaxpr.invars[0]}
  return sum(math.prod(v.aval.shape) * v.aval.dtype.itemsize for v in kept)


def _is_in(variables: set, argument: Any) -> bool:
  return isinstance(argument, core.Var) and argument in variables


def _abstract(*shape: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(shape, jnp.float32)


if __name__ == "__main__":
  main()
