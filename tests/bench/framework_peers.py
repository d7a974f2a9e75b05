#!/usr/bin/env python3
"""Times one recurrent step (T = 1) in PyTorch and ONNX Runtime, whichever can be imported, one thread, f32.

Started by cell_step_bench (framework_peers.h), once for each interpreter in TIDEGATE_BENCH_PYTHON. First prints the
names of the frameworks it has; then answers each line "gru|lstm INPUTS UNITS LAYERS BATCH FILTERS" on stdin with the
nanoseconds of one step of one stream in each of them, the state carried from step to step, the best of its forms:
  torch        nn.GRU / nn.LSTM and their cells, eager and TorchScript
  onnxruntime  the GRU / LSTM operator and a graph of MatMuls, with bound inputs and outputs; the time of a call that
               does nothing is taken off, as it is Python's and not the framework's
"""
import sys
import time

SECONDS = 0.02  # of one measurement; the median of 5
KERNEL = 5  # readings under each filter of a convolution below the recurrent layers, which keeps the last of them


def measure(call):
    count = 1
    while True:
        begin = time.perf_counter()
        for _ in range(count):
            call()
        spent = time.perf_counter() - begin
        if spent > SECONDS / 4:
            break
        count *= 2
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(count):
            call()
        times.append((time.perf_counter() - begin) / count)
    return sorted(times)[2]


class Torch:
    def __init__(self):
        import torch

        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        self.torch = torch

    def ns(self, kind, inputs, units, layers, batch, filters):
        torch = self.torch
        if filters > 0:
            return measure(self.convolved(kind, inputs, units, layers, batch, filters)) * 1e9 / batch
        network = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](inputs, units, layers).eval()
        x = torch.randn(1, batch, inputs)
        h = torch.zeros(layers, batch, units)
        first = h if kind == "gru" else (h, h)
        forms = [self.loop(network, x, first), self.loop(torch.jit.script(network), x, first)]
        cell = {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[kind]
        cells = [cell(inputs if i == 0 else units, units).eval() for i in range(layers)]
        forms.append(self.cells(cells, x[0], units, kind))
        forms.append(self.cells([torch.jit.script(c) for c in cells], x[0], units, kind))
        times = []
        for form in forms:
            try:
                times.append(measure(form))
            except AttributeError:  # Debian's build has no TorchScript
                pass
        return min(times) * 1e9 / batch

    def loop(self, network, x, first):
        state = [first]

        def step():
            state[0] = network(x, state[0])[1]

        return step

    def convolved(self, kind, inputs, units, layers, batch, filters):
        torch = self.torch
        front, x = torch.nn.Conv1d(inputs, filters, KERNEL).eval(), torch.randn(batch, inputs, 1)
        cell = {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[kind]
        cells = [cell(filters if i == 0 else units, units).eval() for i in range(layers)]
        y = torch.zeros(batch, filters)
        above, past = self.cells(cells, y, units, kind), [torch.randn(batch, inputs, KERNEL)]

        def step():
            past[0] = torch.cat((past[0][:, :, 1:], x), 2)
            y.copy_(torch.relu(front(past[0]))[:, :, 0])
            above()

        return step

    def cells(self, cells, x, units, kind):
        h = self.torch.zeros(x.shape[0], units)
        states = [h if kind == "gru" else (h, h) for _ in cells]

        def step():
            y = x
            for i, cell in enumerate(cells):
                states[i] = cell(y, states[i])
                y = states[i] if kind == "gru" else states[i][0]

        return step


class OnnxRuntime:
    def __init__(self):
        import numpy
        import onnx
        import onnxruntime

        self.np, self.onnx, self.ort = numpy, onnx, onnxruntime
        identity = self.graph([self.onnx.helper.make_node("Identity", ["x"], ["y"])], {}, ["x"], ["y"])
        self.nothing = measure(self.bound(identity, {"x": numpy.zeros((1, 1), numpy.float32)}, {"y": "x"}))

    def graph(self, nodes, weights, inputs, outputs):
        helper, float32 = self.onnx.helper, self.onnx.TensorProto.FLOAT
        values = [[helper.make_tensor_value_info(n, float32, None) for n in names] for names in (inputs, outputs)]
        constants = [self.onnx.numpy_helper.from_array(v, n) for n, v in weights.items()]
        model = helper.make_model(
            helper.make_graph(nodes, "step", *values, constants), opset_imports=[helper.make_opsetid("", 14)], ir_version=8
        )
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return self.ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def bound(self, session, inputs, carried):
        """A call with everything bound; output o is written over input carried[o], or over a copy of it."""
        binding = session.io_binding()
        values = {n: self.ort.OrtValue.ortvalue_from_numpy(v) for n, v in inputs.items()}
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for output, source in carried.items():
            binding.bind_ortvalue_output(output, self.ort.OrtValue.ortvalue_from_numpy(inputs[source].copy()))
        return lambda: session.run_with_iobinding(binding)

    def random(self, *shape):
        return self.np.random.default_rng(1).uniform(-0.1, 0.1, shape).astype(self.np.float32)

    def ns(self, *shape):
        batch = shape[4]
        return min(measure(f(*shape)) - self.nothing for f in [self.operator, self.matmuls]) * 1e9 / batch

    def convolution(self, inputs, filters, batch, nodes, weights, feeds, carried):
        """The filters over the last readings, as one product; the name of its output [B, filters]."""
        make = self.onnx.helper.make_node
        feeds["past"] = self.random(batch, KERNEL * inputs)
        carried["now"] = "past"
        weights["k"], weights["kb"] = self.random(KERNEL * inputs, filters), self.random(filters)
        for name, value in {"from": inputs, "to": KERNEL * inputs, "axis": 1}.items():
            weights[name] = self.np.array([value])
        nodes += [
            make("Slice", ["past", "from", "to", "axis"], ["kept"]),
            make("Concat", ["kept", "x"], ["now"], axis=1),
            make("Gemm", ["now", "k", "kb"], ["sums"]),
            make("Relu", ["sums"], ["filtered"]),
        ]
        return "filtered"

    def operator(self, kind, inputs, units, layers, batch, filters):
        make, gates = self.onnx.helper.make_node, 3 if kind == "gru" else 4
        nodes, weights, feeds, carried, width, y = [], {}, {"x": self.random(1, batch, inputs)}, {}, inputs, "x"
        if filters > 0:
            feeds["x"] = self.random(batch, inputs)
            weights["first"] = self.np.array([0])
            rows = self.convolution(inputs, filters, batch, nodes, weights, feeds, carried)
            nodes.append(make("Unsqueeze", [rows, "first"], ["y"]))
            width, y = filters, "y"
        for i in range(layers):
            weights[f"w{i}"] = self.random(1, gates * units, width)
            weights[f"r{i}"] = self.random(1, gates * units, units)
            weights[f"b{i}"] = self.random(1, 2 * gates * units)
            feeds[f"h{i}"] = self.random(1, batch, units)
            carried[f"g{i}"] = f"h{i}"
            names, out = [y, f"w{i}", f"r{i}", f"b{i}", "", f"h{i}"], ["", f"g{i}"]
            more = {"linear_before_reset": 1}
            if kind == "lstm":
                feeds[f"s{i}"] = self.random(1, batch, units)
                carried[f"t{i}"] = f"s{i}"
                names, out, more = names + [f"s{i}"], out + [f"t{i}"], {}
            nodes.append(make("GRU" if kind == "gru" else "LSTM", names, out, hidden_size=units, **more))
            width, y = units, f"g{i}"
        return self.bound(self.graph(nodes, weights, list(feeds), list(carried)), feeds, carried)

    def matmuls(self, kind, inputs, units, layers, batch, filters):
        gates = 3 if kind == "gru" else 4
        nodes, weights, feeds, carried = [], {}, {"x": self.random(batch, inputs)}, {}
        width, y = inputs, "x"
        if filters > 0:
            width, y = filters, self.convolution(inputs, filters, batch, nodes, weights, feeds, carried)

        def add(op, names, count=1, **more):
            out = [f"v{len(nodes)}_{k}" for k in range(count)]
            nodes.append(self.onnx.helper.make_node(op, names, out, **more))
            return out if count > 1 else out[0]

        for i in range(layers):
            for name, shape in {"w": (width, gates * units), "u": (units, gates * units), "b": (gates * units,), "c": (gates * units,)}.items():
                weights[f"{name}{i}"] = self.random(*shape)
            feeds[f"h{i}"] = self.random(batch, units)
            a = add("Add", [add("MatMul", [y, f"w{i}"]), f"b{i}"])
            u = add("Add", [add("MatMul", [f"h{i}", f"u{i}"]), f"c{i}"])
            if kind == "gru":
                a, u = add("Split", [a], 3, axis=1), add("Split", [u], 3, axis=1)
                r, z = (add("Sigmoid", [add("Add", [a[k], u[k]])]) for k in range(2))
                n = add("Tanh", [add("Add", [a[2], add("Mul", [r, u[2]])])])
                h = add("Add", [n, add("Mul", [z, add("Sub", [f"h{i}", n])])])
            else:
                g = add("Split", [add("Add", [a, u])], 4, axis=1)
                feeds[f"s{i}"] = self.random(batch, units)
                s = add("Add", [add("Mul", [add("Sigmoid", [g[1]]), f"s{i}"]), add("Mul", [add("Sigmoid", [g[0]]), add("Tanh", [g[2]])])])
                h = add("Mul", [add("Sigmoid", [g[3]]), add("Tanh", [s])])
                carried[s] = f"s{i}"
            carried[h] = f"h{i}"
            width, y = units, h
        return self.bound(self.graph(nodes, weights, list(feeds), list(carried)), feeds, carried)


def main():
    frameworks = {}
    for name, make in (("torch", Torch), ("onnxruntime", OnnxRuntime)):
        try:
            frameworks[name] = make()
        except ImportError:
            pass
    print(*frameworks, flush=True)
    for line in sys.stdin:
        kind, *sizes = line.split()
        print(*(f"{f.ns(kind, *map(int, sizes)):.1f}" for f in frameworks.values()), flush=True)


if __name__ == "__main__":
    main()
