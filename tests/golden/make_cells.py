#!/usr/bin/env python3
"""Writes the golden files of the recurrent cells: what PyTorch's nn.GRU and nn.LSTM answer.

Run with Debian's python3-torch (1.13): /usr/bin/python3 tests/golden/make_cells.py
The tests read the files only. Each is a safetensors file of F32 with, for I inputs and H units,
  weight_ih, weight_hh, bias_ih, bias_hh     uniform in +-1/sqrt(H), gates in PyTorch's order
  series.x [1000, I]                         one sequence from a zero state, in single precision
  series.steps [K]                           the steps (from 0) whose results are kept
  series.hidden [K, H], series.cell [K, H]   h after them, and the cell state of an LSTM
  sequence.x [T, B, I], sequence.hidden [B, H], sequence.cell [B, H]   a short batch and its first state
  sequence.slope [T, B, H]                   the loss is the sum of slope * output
  gradient.weight_ih, ..., gradient.x        of that loss, in double precision, rounded
"""
import json
import pathlib
import struct

import torch

SHAPES = [(1, 1), (3, 8), (5, 16), (2, 33)]  # I, H
STEPS = 1000
KEPT = sorted(set(range(12)) | set(range(49, STEPS, 50)))
LENGTH, BATCH = 12, 2
WEIGHTS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


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


def run_series(kind, cell, tensors):
    x = torch.randn(STEPS, cell.input_size).clamp(-8, 8)
    hidden, states, state = [], [], None
    with torch.no_grad():
        for t in range(STEPS):
            _, state = cell(x[t : t + 1], state)
            h, s = state if kind == "lstm" else (state, state)
            hidden.append(h[0])
            states.append(s[0])
    tensors["series.x"] = x
    tensors["series.steps"] = torch.tensor(KEPT)
    tensors["series.hidden"] = torch.stack([hidden[t] for t in KEPT])
    if kind == "lstm":
        tensors["series.cell"] = torch.stack([states[t] for t in KEPT])


def run_gradient(kind, cell, tensors):
    x = torch.randn(LENGTH, BATCH, cell.input_size)
    state = [torch.rand(BATCH, cell.hidden_size) - 0.5 for _ in range(2 if kind == "lstm" else 1)]
    slope = torch.randn(LENGTH, BATCH, cell.hidden_size)
    exact = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](cell.input_size, cell.hidden_size).double()
    exact.load_state_dict({name: value.double() for name, value in cell.state_dict().items()})
    leaf = x.double().requires_grad_()
    first = [s.double()[None] for s in state]
    output, _ = exact(leaf, tuple(first) if kind == "lstm" else first[0])
    (output * slope.double()).sum().backward()
    tensors["sequence.x"] = x
    tensors["sequence.hidden"] = state[0]
    if kind == "lstm":
        tensors["sequence.cell"] = state[1]
    tensors["sequence.slope"] = slope
    tensors["gradient.x"] = leaf.grad
    for name in WEIGHTS:
        tensors[f"gradient.{name}"] = getattr(exact, f"{name}_l0").grad


def main():
    folder = pathlib.Path(__file__).parent
    torch.set_num_threads(1)
    for kind, make in [("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM)]:
        for inputs, units in SHAPES:
            torch.manual_seed(1000 * inputs + units)
            cell = make(inputs, units)  # PyTorch begins uniform in +-1/sqrt(H)
            tensors = {name: getattr(cell, f"{name}_l0") for name in WEIGHTS}
            run_series(kind, cell, tensors)
            run_gradient(kind, cell, tensors)
            path = folder / f"{kind}_{inputs}x{units}.safetensors"
            write_safetensors(path, tensors)
            print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
