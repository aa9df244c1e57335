"""CRF part attention: factorised against literal, and what attention costs.

  python -m benchmarks.attention [--only=part,scan,forms,share] [--repeats=5]
      [--processor_time]

part: P maps of attention over C features and a heatmap read from each. The
factorised form is ours: one convolution to P unary maps, one mean field of P
maps, Phi_p o (w_p f). The literal form is the authors': for every part a
convolution to its unary map, k x k convolutions of it, a copy of the features
times the map, a 1x1 read-out. Both are checked to agree in value and gradient.
Memory is what the compiled program needs besides arguments and results, and
what the forward pass keeps for the backward one besides its arguments.
scan: the mean field against its steps written out. forms: the depthwise
convolution's forms. share: training steps of both papers' networks with and
without attention. The sides of a comparison take turns; best of the repeats;
compile time apart. --processor_time counts the seconds of all processors: for
a busy machine.
"""

import argparse
import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.programs import best_seconds, compiled, temporary_megabytes
from pose_jax.models import make_model
from pose_jax.models.layers import convolve
from pose_jax.ops.depthwise import FORMS, depthwise
from pose_jax.ops.mean_field import mean_field
from pose_jax.skeleton import COCO17, MPII16
from pose_jax.train.losses import mse

STEPS = 3
CRF = {"holistic": "crf", "part": "crf"}
RESNET = {"name": "pose_resnet", "depth": 50}
HOURGLASS = {"name": "hourglass", "num_stacks": 2, "part_from_stack": 2}
WIDE = {**CRF, "refined": "crf", "crf_kernel_size": 11}
NETWORKS = (  # name, model, skeleton, crop, attention
  ("PoseResNet-50, 3x3", RESNET, COCO17, (256, 192), CRF),
  ("hourglass, 2 stacks, 11x11", HOURGLASS, MPII16, (256, 256), WIDE),
)


def make_weights(num_parts, num_features, size):
  """Of such sizes that no map saturates."""
  rng = np.random.default_rng(0)

  def normal(*shape, fan_in):
    return jnp.float32(rng.standard_normal(shape) / np.sqrt(fan_in))

  return {
    "unary": normal(3, 3, num_features, num_parts, fan_in=9 * num_features),
    "pairwise": normal(size, size, 1, num_parts, fan_in=size**2),
    "bias": normal(num_parts, fan_in=1),
    "readout": normal(1, 1, num_features, num_parts, fan_in=num_features),
  }


def factorised(features, weights):
  """Heatmaps [B, h, w, P] of features [B, h, w, C], as pose_jax does it."""
  unary = convolve(features, weights["unary"])
  maps = mean_field(unary, weights["pairwise"], weights["bias"], steps=STEPS)
  return maps * convolve(features, weights["readout"])


def literal(features, weights):
  """The same, one part after the other, each with its copy of the features."""
  heatmaps = []
  for p in range(weights["bias"].size):
    unary_kernel, pairwise, readout = (
      weights[name][..., p : p + 1] for name in ("unary", "pairwise", "readout")
    )
    unary = convolve(features, unary_kernel)
    phi = unary
    for _ in range(STEPS):
      phi = jax.nn.sigmoid(unary + convolve(phi, pairwise) + weights["bias"][p])
    heatmaps.append(convolve(features * phi, readout))
  return jnp.concatenate(heatmaps, -1)


def pulled_back(function, *arguments):
  """Value and gradients for a cotangent equal to the value."""
  value, pull = jax.vjp(function, *arguments)
  return value, pull(value)


def kept_bytes(function, *arguments):
  """What the forward pass keeps for the backward one, arguments aside."""
  residuals = jax.jit(lambda *a: jax.vjp(function, *a)[1])(*arguments)
  known = [np.ravel(leaf) for leaf in jax.tree.leaves(arguments)]
  return sum(
    leaf.nbytes
    for leaf in jax.tree.leaves(residuals)
    if not any(np.array_equal(np.ravel(leaf), array) for array in known)
  )


def check_equal(one, other, tolerance=1e-5):
  """Fails unless all arrays agree, relative to their largest value."""
  pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  for a, b in pairs:
    np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max())


def measure_part(options):
  """Factorised against literal: time and memory, forward and backward."""
  shape = (options.batch, options.side, options.side, options.features)
  features = jnp.asarray(
    np.random.default_rng(1).standard_normal(shape), jnp.float32
  )
  weights = make_weights(options.parts, options.features, options.kernel)
  arguments = (features, weights)
  print(
    f"\npart attention: {options.parts} parts, features {shape}, kernel "
    f"{options.kernel}, {STEPS} steps"
  )
  print("| pass | form | ms | ratio | temporary MB | ratio | compile s |")
  for name, wrap in (("forward", lambda f: f), ("both", _both)):
    programs = {
      form.__name__: compiled(wrap(form), *arguments)
      for form in (factorised, literal)
    }
    results = [program(*arguments) for program, _ in programs.values()]
    check_equal(*results)
    seconds = best_seconds(
      {form: partial(p, *arguments) for form, (p, _) in programs.items()},
      options,
    )
    temporary = {
      form: temporary_megabytes(p) for form, (p, _) in programs.items()
    }
    for form, (_, compile_s) in programs.items():
      print(
        f"| {name} | {form} | {1e3 * seconds[form]:.1f} "
        f"| {seconds['literal'] / seconds[form]:.1f} "
        f"| {temporary[form]:.1f} "
        f"| {temporary['literal'] / temporary[form]:.1f} | {compile_s:.1f} |",
        flush=True,
      )
  kept = [kept_bytes(form, *arguments) for form in (factorised, literal)]
  print(
    f"kept for the backward pass: {kept[0] / 1e6:.1f} MB, literally "
    f"{kept[1] / 1e6:.1f} MB, ratio {kept[1] / kept[0]:.1f}"
  )


def _both(function):
  return partial(pulled_back, function)


def make_mean_field_inputs(shape, size):
  """Unary term, kernel, bias."""
  rng = np.random.default_rng(0)
  kernel = rng.standard_normal((size, size, 1, shape[-1])) / size
  arrays = rng.standard_normal(shape), kernel, np.zeros(shape[-1])
  return tuple(map(jnp.float32, arrays))


def unrolled(unary, kernel, bias, *, steps):
  """The mean field written out."""
  phi = unary
  for _ in range(steps):
    phi = jax.nn.sigmoid(
      unary + depthwise(phi, kernel) + bias[None, None, None]
    )
  return phi


def measure_scan(options):
  """The scan, with and without constant memory, against unrolled steps."""
  print("\nmean field, forward and backward")
  print("| kernel | steps | form | ms | temporary MB | compile s |")
  shape = (options.batch, options.side, options.side, options.parts)
  for size in (3, 11):
    for steps in (3, 10):
      arguments = make_mean_field_inputs(shape, size)
      forms = {
        "scan": partial(mean_field, steps=steps),
        "unrolled": partial(unrolled, steps=steps),
        "constant memory": partial(
          mean_field, steps=steps, constant_memory=True
        ),
      }
      programs = {
        name: compiled(_both(form), *arguments) for name, form in forms.items()
      }
      seconds = best_seconds(
        {name: partial(p, *arguments) for name, (p, _) in programs.items()},
        options,
      )
      for name, (program, compile_s) in programs.items():
        print(
          f"| {size} | {steps} | {name} | {1e3 * seconds[name]:.1f} "
          f"| {temporary_megabytes(program):.1f} | {compile_s:.1f} |",
          flush=True,
        )


def measure_forms(options):
  """Every form of the depthwise convolution: forward / gradient in ms."""
  print("\ndepthwise convolution, ms forward / gradient")
  for shape in (
    *((8, 64, 64, 16), (8, 64, 64, 1), (16, 32, 24, 17)),
    *((8, 8, 8, 16), (8, 8, 8, 1)),
  ):
    for size in (1, 3, 7, 11, 15):
      x, kernel, _ = make_mean_field_inputs(shape, size)
      calls = {}
      for form in FORMS:
        convolution = partial(depthwise, form=form)
        gradient = partial(_gradient, convolution)
        for name, function in (("", convolution), ("gradient", gradient)):
          program, _ = compiled(function, x, kernel)
          calls[form, name] = partial(program, x, kernel)
      seconds = best_seconds(calls, options)
      cells = [
        f"{form} {1e3 * seconds[form, '']:.2f} / "
        f"{1e3 * seconds[form, 'gradient']:.2f}"
        for form in FORMS
      ]
      print(f"| {shape} | {size} | " + " | ".join(cells) + " |", flush=True)


def _gradient(convolution, x, kernel):
  return jax.vjp(convolution, x, kernel)[1](x)


def train_step(model, optimizer, state, images, targets):
  """Forward, backward, Adam; returns the new state and the loss."""
  variables, moments = state
  weight = jnp.ones((images.shape[0], targets.shape[-1]))

  def loss_fn(params):
    output, updates = model.apply(
      {**variables, "params": params},
      images,
      train=True,
      mutable=["batch_stats"],
    )
    return sum(mse(s, targets, weight) for s in output.stages), updates

  (loss, updates), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
    variables["params"]
  )
  change, moments = optimizer.update(gradient, moments)
  params = optax.apply_updates(variables["params"], change)
  return ({**updates, "params": params}, moments), loss


def make_step(config, skeleton, crop_hw, batch, attention):
  """Returns a compiled step, its state and inputs, and compile seconds."""
  model = make_model({**config, "attention": attention}, skeleton)
  rng = np.random.default_rng(0)
  images = jnp.asarray(rng.standard_normal((batch, *crop_hw, 3)), jnp.float32)
  shape = (batch, *model.map_hw(crop_hw), skeleton.num_keypoints)
  targets = jnp.asarray(rng.random(shape), jnp.float32)
  init = jax.jit(
    partial(model.init, train=False),
    compiler_options={"xla_backend_optimization_level": 1},
  )
  variables = init(jax.random.key(0), images[:1])
  optimizer = optax.adam(1e-3)
  state = (variables, optimizer.init(variables["params"]))
  step = partial(train_step, model, optimizer)
  program, compile_s = compiled(step, state, images, targets)
  return partial(program, state, images, targets), program, compile_s


def measure_share(options):
  """Training steps with and without attention, in turns."""
  print("\ntraining steps (forward, backward, Adam)")
  print("| network | attention | s | temporary MB | compile s |")
  for name, config, skeleton, crop_hw, attention in NETWORKS:
    steps = {
      label: make_step(config, skeleton, crop_hw, options.network_batch, wanted)
      for label, wanted in (("none", None), ("crf", attention))
    }
    seconds = best_seconds(
      {label: step for label, (step, _, _) in steps.items()}, options
    )
    for label, (_, program, compile_s) in steps.items():
      megabytes = temporary_megabytes(program)
      print(
        f"| {name}, batch {options.network_batch} | {label} "
        f"| {seconds[label]:.2f} | {megabytes:.0f} | {compile_s:.0f} |"
      )
    share = 1 - seconds["none"] / seconds["crf"]
    print(f"share of attention: {100 * share:.1f} %", flush=True)


MEASUREMENTS = {
  "part": measure_part,
  "scan": measure_scan,
  "forms": measure_forms,
  "share": measure_share,
}
NUMBERS = {  # option -> its default, and what it is
  "repeats": (5, "how often each side is timed; the best counts"),
  "batch": (8, "of part and scan: pictures at a time"),
  "side": (64, "of part and scan: pixels along a side of a map"),
  "features": (256, "of part: channels that a map is computed from"),
  "parts": (16, "of part and scan: maps"),
  "kernel": (11, "of part: size of the mean field's kernel"),
  "network_batch": (4, "of share: pictures at a time"),
}


def wanted(text: str) -> list[str]:
  """Names of measurements, as --only lists them."""
  names = text.split(",")
  for name in names:
    if name not in MEASUREMENTS:
      raise argparse.ArgumentTypeError(
        f"wanted some of {','.join(MEASUREMENTS)}, got {name!r}"
      )
  return names


def main() -> None:
  """Prints the tables that were asked for."""
  parser = argparse.ArgumentParser(
    description=__doc__.splitlines()[0],
    epilog="part: the two forms. scan: the mean field against its steps "
    "written out. forms: every form of the depthwise convolution. share: "
    "training steps of both papers' networks with and without attention.",
  )
  names = ",".join(MEASUREMENTS)
  about = f"what is measured, see below; some of {names} (all of them)"
  parser.add_argument("--only", default=names, type=wanted, help=about)
  about = "seconds of all processors, for a busy machine"
  parser.add_argument("--processor_time", action="store_true", help=about)
  for name, (number, about) in NUMBERS.items():
    about = f"{about} ({number})"
    parser.add_argument(f"--{name}", type=int, default=number, help=about)
  options = parser.parse_args()
  print(
    f"{jax.devices()[0].device_kind}, jax {jax.__version__}, load average "
    f"{os.getloadavg()[0]:.1f}"
  )
  for name in options.only:
    MEASUREMENTS[name](options)


if __name__ == "__main__":
  main()
