#!/usr/bin/env python3
"""Writes the golden files of the layers: what PyTorch answers, one file for each kind with a dozen shapes.

Run with Debian's python3-torch (1.13): /usr/bin/python3 tests/golden/make_layers.py
The tests read the files only. Kinds that torch.nn has are run by it; the others are written here from their papers'
equations, their gradients by autograd. A file is safetensors, F32; case c (0 to 11) has, for T steps of B sequences,
  c.parameters.NAME             uniform in +-1/sqrt(H), gates as in PyTorch
  c.x [T, B, I], c.state [B, S] inputs, and the state before the first step (h, then the cell state)
  c.y [T, B, O], c.slope        outputs; the loss is the sum of slope * y
  c.last [B, S]                 the state after the last step
  c.gradient.NAME, c.gradient.x, c.gradient.state     of the loss
Everything is computed in double precision from values that are floats.
"""
import json
import pathlib
import struct

import torch

SHAPES = [(1, 1), (1, 2), (2, 3), (3, 4), (1, 5), (4, 6), (5, 7), (2, 8), (3, 9), (9, 3), (1, 16), (2, 17)]  # I, H
STEPS, BATCH = 6, 2
D = torch.double


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().double().flatten().tolist()
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def gru_shapes(i, h, gates=3):
    return {"weight_ih": (gates * h, i), "weight_hh": (gates * h, h), "bias_ih": (gates * h,), "bias_hh": (gates * h,)}


def lstm_shapes(i, h, p=0):
    shapes = {"weight_ih": (4 * h, i), "weight_hh": (4 * h, p or h), "bias_ih": (4 * h,), "bias_hh": (4 * h,)}
    return dict(shapes, weight_hr=(p, h)) if p else shapes


def norm_shapes(names):
    return {f"{name}.{part}": (n,) for name, n in names.items() for part in ("gain", "bias")}


def normalise(p, name, v):
    return torch.nn.functional.layer_norm(v, v.shape[-1:], p[name + ".gain"], p[name + ".bias"], 1e-5)


def run_nn(make, names):
    """A torch.nn layer with the parameters p; names: ours of its own."""

    def run(p, x, state):
        layer = make(p, x).double()
        for ours, theirs in names(p).items():  # in place of the layer's own parameters, so that gradients flow to p
            delattr(layer, theirs)
            setattr(layer, theirs, p[ours])
        layer._flat_weights = [getattr(layer, name) for name in layer._flat_weights_names]
        h0 = None
        if state is not None:
            width = p["weight_hr"].shape[0] if "weight_hr" in p else p["weight_hh"].shape[1]
            h0 = state[None, :, :width].contiguous()
            if isinstance(layer, torch.nn.LSTM):
                h0 = (h0, state[None, :, width:].contiguous())
        y, last = layer(x, h0)
        return y, None if state is None else torch.cat(last, -1)[0] if isinstance(last, tuple) else last[0]

    return run


def recurrent_names(p):
    return {n: n.replace("_reverse", "") + "_l0" + ("_reverse" if "_reverse" in n else "") for n in p}


def make_gru(p, x, **more):
    return torch.nn.GRU(x.shape[2], p["weight_hh"].shape[1], **more)


def make_lstm(p, x, **more):
    return torch.nn.LSTM(x.shape[2], p["weight_ih"].shape[0] // 4, **more)


def make_projected(p, x):
    return make_lstm(p, x, proj_size=p["weight_hr"].shape[0])


def stepwise(step):
    """A recurrence written out: step(p, x_t, state) gives the output and the next state."""

    def run(p, x, state):
        outputs = []
        for x_t in x:
            y, state = step(p, x_t, state)
            outputs.append(y)
        return torch.stack(outputs), state

    return run


def gru_reset_before(p, x, h):
    n = h.shape[1]
    a = x @ p["weight_ih"].T + p["bias_ih"]
    u = h @ p["weight_hh"][: 2 * n].T + p["bias_hh"][: 2 * n]
    r, z = torch.sigmoid(a[:, :n] + u[:, :n]), torch.sigmoid(a[:, n : 2 * n] + u[:, n:])
    c = torch.tanh(a[:, 2 * n :] + (r * h) @ p["weight_hh"][2 * n :].T + p["bias_hh"][2 * n :])
    h = (1 - z) * c + z * h
    return h, h


def glu_gru(p, x, h):
    a = (x @ p["weight_ih"].T + p["bias_ih"]).chunk(4, 1)
    u = (h @ p["weight_hh"].T + p["bias_hh"]).chunk(4, 1)
    r, z = torch.sigmoid(a[0] + u[0]), torch.sigmoid(a[1] + u[1])
    c = torch.nn.functional.glu(torch.cat([a[2] + r * u[2], a[3] + r * u[3]], 1), 1)
    h = (1 - z) * c + z * h
    return h, h


def gru_layer_norm(p, x, h):
    n = h.shape[1]
    a, u = x @ p["weight_ih"].T, h @ p["weight_hh"].T
    gates = normalise(p, "norm_ih_gate", a[:, : 2 * n]) + normalise(p, "norm_hh_gate", u[:, : 2 * n])
    r, z = torch.sigmoid(gates).chunk(2, 1)
    past = normalise(p, "norm_hh_candidate", u[:, 2 * n :])
    c = torch.tanh(normalise(p, "norm_ih_candidate", a[:, 2 * n :]) + r * past)
    h = (1 - z) * c + z * h
    return h, h


def lstm_layer_norm(p, x, state):
    h, s = state.chunk(2, 1)
    gates = normalise(p, "norm_hh", h @ p["weight_hh"].T) + normalise(p, "norm_ih", x @ p["weight_ih"].T)
    i, f, g, o = gates.chunk(4, 1)
    s = torch.sigmoid(f) * s + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(normalise(p, "norm_cell", s))
    return h, torch.cat([h, s], 1)


def lstm_peepholes(p, x, state):
    width = p["weight_hh"].shape[1]
    h, s = state[:, :width], state[:, width:]
    i, f, g, o = (x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]).chunk(4, 1)
    i, f = torch.sigmoid(i + p["peephole"][0] * s), torch.sigmoid(f + p["peephole"][1] * s)
    s = f * s + i * torch.tanh(g)
    h = torch.sigmoid(o + p["peephole"][2] * s) * torch.tanh(s)
    if "weight_hr" in p:
        h = h @ p["weight_hr"].T
    return h, torch.cat([h, s], 1)


def convolve(kernel, dilation=1, relative=False, relu=False):
    def run(p, x, _):
        reach = (kernel - 1) * dilation
        if relative:  # the windows one by one
            past = torch.cat([x[:1].expand(reach + 1, -1, -1), x])
            y = []
            for t in range(len(x)):
                window = past[t + 1 : t + 2 + reach : dilation] - past[t]
                y.append(torch.einsum("kbi,oik->bo", window, p["weight"]) + p["bias"])
            y = torch.stack(y)
        else:
            padded = torch.nn.functional.pad(x.permute(1, 2, 0), (reach, 0))
            y = torch.nn.functional.conv1d(padded, p["weight"], p["bias"], dilation=dilation).permute(2, 0, 1)
        return torch.relu(y) if relu else y, None

    return run


def conv_shapes(kernel):
    return lambda i, h: {"weight": (h, i, kernel), "bias": (h,)}


def both_ways(shapes):
    return lambda i, h: {n + s: shape for n, shape in shapes(i, h).items() for s in ("", "_reverse")}


def gru_norm_shapes(i, h):
    norms = {"norm_ih_gate": 2 * h, "norm_hh_gate": 2 * h, "norm_ih_candidate": h, "norm_hh_candidate": h}
    return dict(norm_shapes(norms), weight_ih=(3 * h, i), weight_hh=(3 * h, h))


def lstm_norm_shapes(i, h):
    return dict(norm_shapes({"norm_ih": 4 * h, "norm_hh": 4 * h, "norm_cell": h}), weight_ih=(4 * h, i), weight_hh=(4 * h, h))


def projected(i, h):
    return lstm_shapes(i, h, (h + 1) // 2)


def state_of_gru(_, h):
    return h


def state_of_lstm(_, h):
    return 2 * h


def state_of_projected(_, h):
    return (h + 1) // 2 + h


KINDS = {  # name: parameter shapes, floats of a state, how to run
    "gru": (gru_shapes, state_of_gru, run_nn(make_gru, recurrent_names)),
    "gru_reset_before": (gru_shapes, state_of_gru, stepwise(gru_reset_before)),
    "gru_layer_norm": (gru_norm_shapes, state_of_gru, stepwise(gru_layer_norm)),
    "glu_gru": (lambda i, h: gru_shapes(i, h, 4), state_of_gru, stepwise(glu_gru)),
    "lstm": (lstm_shapes, state_of_lstm, run_nn(make_lstm, recurrent_names)),
    "lstm_peepholes": (lambda i, h: dict(lstm_shapes(i, h), peephole=(3, h)), state_of_lstm, stepwise(lstm_peepholes)),
    "lstm_projection": (projected, state_of_projected, run_nn(make_projected, recurrent_names)),
    "lstm_peepholes_projection": (lambda i, h: dict(projected(i, h), peephole=(3, h)), state_of_projected, stepwise(lstm_peepholes)),
    "lstm_layer_norm": (lstm_norm_shapes, state_of_lstm, stepwise(lstm_layer_norm)),
    "conv1d": (conv_shapes(5), None, convolve(5)),
    "conv1d_dilation_relu": (conv_shapes(3), None, convolve(3, dilation=2, relu=True)),
    "conv1d_relative": (conv_shapes(4), None, convolve(4, relative=True)),
    "gru_bidirectional": (both_ways(gru_shapes), None, run_nn(lambda p, x: make_gru(p, x, bidirectional=True), recurrent_names)),
    "lstm_bidirectional": (both_ways(lstm_shapes), None, run_nn(lambda p, x: make_lstm(p, x, bidirectional=True), recurrent_names)),
}


def make_case(kind, inputs, units):
    shapes, state_floats, run = KINDS[kind]
    if "projection" in kind and units == 1:
        units = 2  # a projection is narrower than the layer
    bound = units**-0.5

    def leaf(values):  # as doubles that are floats
        return values.float().double().requires_grad_()

    p = {n: leaf((torch.rand(s, dtype=D) * 2 - 1) * bound) for n, s in shapes(inputs, units).items()}
    x = leaf(torch.randn(STEPS, BATCH, inputs, dtype=D))
    state = None if state_floats is None else leaf(torch.rand(BATCH, state_floats(inputs, units), dtype=D) - 0.5)
    y, last = run(p, x, state)
    slope = torch.randn(y.shape, dtype=D).float().double()
    (y * slope).sum().backward()
    case = {"x": x, "y": y, "slope": slope, "gradient.x": x.grad}
    if state is not None:
        case.update({"state": state, "last": last, "gradient.state": state.grad})
    for name, value in p.items():
        case["parameters." + name] = value
        case["gradient." + name] = value.grad
    return case


def main():
    folder = pathlib.Path(__file__).parent
    torch.set_num_threads(1)
    total = 0
    for kind in KINDS:
        tensors = {}
        for number, (inputs, units) in enumerate(SHAPES):
            torch.manual_seed(1000 * inputs + units)
            tensors.update({f"{number}.{n}": t for n, t in make_case(kind, inputs, units).items()})
        path = folder / f"{kind}.safetensors"
        write_safetensors(path, tensors)
        total += path.stat().st_size
        print(f"{path.name}: {path.stat().st_size} bytes")
    print(f"in all {total} bytes")


if __name__ == "__main__":
    main()
