"""A reference network's case: its weights in ours, its outputs, one step."""

import gzip
import importlib.util
import json

import jax
import numpy as np
import optax

from pose_jax.models import make_model
from pose_jax.train.losses import mse
from pose_jax.train.optimizer import make_optimizer
from pose_jax.weights import load_torch
from pose_jax.weights.names import KINDS
from pose_jax.weights.tables import TABLES


def load_module(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def state_rows(folder, name):
  """[name, shape, is_parameter] of each entry of a torch state_dict."""
  with gzip.open(folder / "net_state_dicts.json.gz") as file:
    return json.load(file)[name]


class Golden:
  """One network of the reference and one jitted training function of ours."""

  def __init__(self, folder, name, config, skeleton):
    self.arrays = dict(np.load(folder / f"net_{name}.npz"))
    self.weights = load_module(folder / "weights.py")
    self.rows = state_rows(folder, name)
    self.names = [name for name, _, is_parameter in self.rows if is_parameter]
    options = {key: value for key, value in config.items() if key != "name"}
    self.table = TABLES[config["name"]](**options)
    self.model = make_model(config, skeleton)
    state_dict = self.weights.state_dict(7, [row[:2] for row in self.rows])
    self.variables = load_torch(state_dict, config)
    self.images = self.nhwc("input")
    self.step = jax.jit(jax.value_and_grad(self.loss, has_aux=True))

  def nhwc(self, name):
    return self.arrays[name].transpose(0, 2, 3, 1).astype(np.float32)

  def loss(self, params, batch_stats):
    output, updates = self.model.apply(
      {"params": params, "batch_stats": batch_stats},
      self.images,
      train=True,
      mutable=["batch_stats"],
    )
    weight = self.arrays["target_weight"].astype(np.float32)
    target = self.nhwc("target")
    loss = sum(mse(stage, target, weight) for stage in output.stages)
    return loss, (output.stages, updates["batch_stats"])

  def first_step(self):
    """(loss, (stages, statistics)), gradients."""
    return self.step(self.variables["params"], self.variables["batch_stats"])

  def torch_arrays(self, variables):
    """Our variables (or gradients) by torch name, in torch's axis order."""
    arrays = {}
    for row in self.table:
      for suffix, tensor in KINDS[row.kind].items():
        leaf = variables.get(tensor.collection)
        for key in (*row.ours, tensor.name) if leaf is not None else ():
          leaf = leaf[key]
        if leaf is not None:
          order = np.argsort(tensor.axes)
          arrays[f"{row.torch}.{suffix}"] = np.transpose(leaf, order)
    return arrays

  def evaluation_errors(self):
    """Per stage the largest error, in parts of the largest value."""
    apply = jax.jit(lambda v, x: self.model.apply(v, x, train=False).stages)
    return self._errors("eval_out", apply(self.variables, self.images))

  def training_errors(self, stages):
    return self._errors("train_out", stages)

  def _errors(self, name, stages):
    expected = [self.nhwc(f"{name}{i}") for i in range(len(stages))]
    return [
      np.abs(maps - wanted).max() / np.abs(wanted).max()
      for maps, wanted in zip(stages, expected, strict=True)
    ]

  def gradient_errors(self, gradients):
    """Errors of norms and of dots with a random direction, each in norms.

    Of parameters whose gradient exceeds 1e-4 of the largest. Such a dot is
    about as large as the norm.
    """
    gradients = self.torch_arrays({"params": gradients})
    norms, dots = [], []
    for name in self.names:
      gradient = np.asarray(gradients[name], np.float64)
      rng = self.weights.named_rng(99, name)
      norms.append(np.linalg.norm(gradient))
      dots.append(np.vdot(gradient, rng.standard_normal(gradient.shape)))
    expected = self.arrays["grad_l2"]
    large = expected > 1e-4 * expected.max()
    return tuple(
      (np.abs(np.array(ours) - self.arrays[name]) / expected)[large]
      for ours, name in ((norms, "grad_l2"), (dots, "grad_dot"))
    )

  def running_statistics(self, batch_stats):
    """Norm and first value of each, in the order of the golden's."""
    stats = self.torch_arrays({"batch_stats": batch_stats})
    stats = [
      stats[name]
      for name, _, _ in self.rows
      if name.split(".")[-1].startswith("run")
    ]
    return [np.linalg.norm(s) for s in stats], [s[0] for s in stats]

  def adam_losses(self):
    """Loss before each of as many Adam steps as the golden has."""
    params, stats = self.variables["params"], self.variables["batch_stats"]
    optimizer = make_optimizer("adam", optax.constant_schedule(1e-3))
    update = jax.jit(optimizer.update)
    moments = optimizer.init(params)
    losses = []
    for _ in self.arrays["adam_losses"]:
      (loss, (_, stats)), gradients = self.step(params, stats)
      updates, moments = update(gradients, moments, params)
      params = optax.apply_updates(params, updates)
      losses.append(float(loss))
    return losses
