"""The papers' attention, equation by equation, for tests to compare with.

Slow and literal: a map at a time, features copied for every part, loops for
sums, no code shared with pose_jax. Everything can be differentiated.
`p` is the number of a map, `o` the AttentionOptions, `params` PoseHead's.
"""

import jax.numpy as jnp
import numpy as np


def sigmoid(x):
  return 1 / (1 + jnp.exp(-x))


def convolution(x, kernel, bias):
  """[B, h, w, C] by [k, k, C], zero outside: [B, h, w]."""
  taps = np.arange(kernel.shape[0])
  reach = kernel.shape[0] // 2
  rows, columns = (np.add.outer(taps, np.arange(n)) for n in x.shape[1:3])
  x = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
  windows = x[:, rows[:, None, :, None], columns[None, :, None, :]]
  return jnp.einsum("bijhwc,ijc->bhw", windows, kernel) + bias


def mean_field(unary, kernel, bias, o):
  """Eq. 7 and 8 of Chu et al., one map [B, h, w] and one kernel [k, k]."""
  phi = unary if o.crf_start == "unary_conv" else sigmoid(unary)
  steps = [sigmoid(unary)]
  for t in range(o.crf_steps):
    logit = convolution(phi[..., None], kernel[..., None], bias)
    if o.crf_keep_unary:
      logit = logit + unary
    new = sigmoid(logit)
    if t > 0 or o.crf_start == "sigmoid_unary":
      new = (1 - o.crf_damping) * new + o.crf_damping * phi
    phi = new
    steps.append(phi)
  return phi, jnp.stack(steps)


def crf(params, x, p, o):
  """The last map and that after every step."""
  unary, q = params["unary"], 0 if o.crf_shared else p
  psi = convolution(x, unary["kernel"][..., p], unary["bias"][p])
  if o.crf_separable:
    column, row = params["column"][:, 0, 0, q], params["row"][0, :, 0, q]
    kernel = jnp.outer(column, row)
  else:
    kernel = params["kernel"][:, :, 0, q]
  bias = params["bias"][q] if o.crf_bias else 0.0
  return mean_field(psi, kernel, bias, o)


def softmax(params, x, p):
  """Eq. 3 and 4 of Chu et al., times the number of positions."""
  summary = params["summary"]
  s = convolution(x, summary["kernel"][..., p], summary["bias"][p])
  s = 1 + jnp.exp(s)  # exp of softplus, log(1 + exp)
  total = s.sum((1, 2)).reshape(-1, 1, 1)
  return s / total * (s.shape[1] * s.shape[2])


def gaussians(mu, d, sigma, count, length):
  """Rows of `count` Gaussians at pixels 0 to length - 1, [B, length]."""
  total = 0.0
  for i in range(count):
    away = jnp.arange(length).reshape(1, -1) - (mu + i * d)[:, None]
    total = total + jnp.exp(-(away**2) / (2 * sigma[:, None] ** 2))
  return total / total.max(1, keepdims=True)


def cells(x, grid):
  """Means over grid x grid cells, channels last: [B, grid * grid * C]."""
  height, width = x.shape[1:3]
  means = []
  for i in range(grid):
    rows = slice(i * height // grid, -(-((i + 1) * height) // grid))
    for j in range(grid):
      columns = slice(j * width // grid, -(-((j + 1) * width) // grid))
      mask = np.zeros((1, height, width, 1), np.float32)
      mask[:, rows, columns] = 1
      means.append((x * mask).sum((1, 2)) / mask.sum())
  return jnp.concatenate(means, -1)


def gaussian(params, x, p, o):
  """a_y a_x^T of paper 000's 3.2.2."""
  dense = params["parameters"]
  means = cells(x, o.gaussian_grid)
  raw = means @ dense["kernel"] / means.shape[1] + dense["bias"][None]
  vectors = []
  for axis, length in enumerate(x.shape[1:3]):
    mu, d, sigma = (raw[:, 6 * p + 3 * axis + i] for i in range(3))
    count = o.gaussian_count or length
    mu = (length - 1) / 2 + length * mu
    d, sigma = length / count * d, length / 2 * jnp.exp(sigma)
    vectors.append(gaussians(mu, d, sigma, count, length))
  return jnp.einsum("by,bx->byx", *vectors)


def theta(params, levels, p, o):
  """[B, 3, 3]: identity plus what the localiser says."""
  dense = params["transformer"]["localiser"]
  means = jnp.concatenate([cells(x, o.transformer_grid) for x in levels], -1)
  raw = means @ dense["kernel"] / means.shape[1] + dense["bias"][None]
  top = raw.reshape(len(raw), -1, 2, 3)[:, p]
  square = jnp.pad(top, ((0, 0), (0, 1), (0, 0)))
  return square + jnp.eye(3)[None]


def sample(x, matrix):
  """[B, h, w, C] at the positions of [B, 3, 3]: tents over all pixels."""
  height, width = x.shape[1:3]
  v, u = jnp.meshgrid(
    jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width), indexing="ij"
  )
  points = jnp.stack([u, v, jnp.ones_like(u)], -1)
  at = jnp.einsum("brs,hws->bhwr", matrix, points)
  columns, rows = (at[..., 0] + 1) / 2 * (width - 1), (at[..., 1] + 1) / 2
  rows = rows * (height - 1)

  def tents(position, size):
    away = jnp.abs(position[..., None] - jnp.arange(size)[None, None, None])
    return jnp.where(away < 1, 1 - away, 0)

  return jnp.einsum(
    "bhwi,bhwj,bijc->bhwc", tents(rows, height), tents(columns, width), x
  )


def one_map(kind, params, x, p, o):
  if kind == "crf":
    return crf(params, x, p, o)[0]
  if kind == "softmax":
    return softmax(params, x, p)
  return gaussian(params, x, p, o)


def restored(y, undo):
  """What transformers sampled, in the frame of the crop, the last one first."""
  for inverse in reversed(undo):
    y = sample(y, inverse)
  return y


def head(params, levels, o):
  """Heatmaps [B, h, w, K] and maps by name, those of transformers left out."""
  x, undo, maps = levels[-1], [], {}
  if o.holistic == "transformer":
    matrix = theta(
      params["holistic"],
      levels[len(levels) - (o.levels or len(levels)) :],
      0,
      o,
    )
    x, undo = sample(x, matrix), [jnp.linalg.inv(matrix)]
  elif o.holistic != "none":
    read = levels[len(levels) - (o.levels or len(levels)) :]
    total = 0.0
    for i, level in enumerate(read):
      own = one_map(o.holistic, params["holistic"][f"level{i}"], level, 0, o)
      maps[f"holistic/level{i}"] = own[..., None]
      factor = x.shape[1] // level.shape[1]
      total = total + own.repeat(factor, 1).repeat(factor, 2)
    maps["holistic"] = total[..., None]
    x = x * total[..., None]
    if len(read) == 1:
      del maps["holistic/level0"]
  if o.refined == "transformer":
    matrix = theta(params["refined"], (x,), 0, o)
    x, undo = sample(x, matrix), [*undo, jnp.linalg.inv(matrix)]
  elif o.refined != "none":
    own = one_map(o.refined, params["refined"]["level0"], x, 0, o)
    maps["refined"] = restored(own[..., None], undo)
    x = x * own[..., None]
  heatmaps, parts = [], []
  for p in range(params["kernel"].shape[-1]):
    h_p, last = x, []
    if o.part == "transformer":
      matrix = theta(params["part"], (x,), p, o)
      h_p, last = sample(x, matrix), [jnp.linalg.inv(matrix)]
    elif o.part != "none":
      parts.append(one_map(o.part, params["part"]["level0"], x, p, o))
      h_p = x * parts[-1][..., None]
    y = (h_p * params["kernel"][:, :, None, :, p]).sum(-1, keepdims=True)
    y = y + params["bias"][p]
    heatmaps.append(restored(y, [*undo, *last]))
  if parts:
    maps["part"] = restored(jnp.stack(parts, -1), undo)
  return jnp.concatenate(heatmaps, -1), maps
