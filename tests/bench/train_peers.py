#!/usr/bin/env python3
"""Times one training step of a recurrent layer in PyTorch: forward, backward and update.

Started by train_step_bench (framework_peers.h), once for each interpreter in TIDEGATE_BENCH_PYTHON. First prints
"torch" if it can be imported; then answers each line "gru|lstm INPUTS UNITS BATCH STEPS THREADS" on stdin with the
seconds of one step: nn.GRU / nn.LSTM over the whole sequence from zero states, a dense map to one value at every row,
mean squared error, gradients clipped to a norm of 1, Adam; the least of several.
"""
import sys
import time

SECONDS = 0.3  # of one measurement


class Torch:
    def __init__(self):
        import torch

        self.torch = torch

    def seconds(self, kind, inputs, units, batch, steps, threads):
        torch = self.torch
        torch.set_num_threads(threads)
        layer = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](inputs, units)
        head = torch.nn.Linear(units, 1)
        parameters = [*layer.parameters(), *head.parameters()]
        adam = torch.optim.Adam(parameters, lr=1e-3)
        x, y = torch.randn(steps, batch, inputs), torch.randn(steps, batch, 1)

        def step():
            adam.zero_grad()
            loss = torch.nn.functional.mse_loss(head(layer(x)[0]), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            adam.step()

        for _ in range(2):
            step()
        best, end = float("inf"), time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            begin = time.perf_counter()
            step()
            best = min(best, time.perf_counter() - begin)
        return best


def main():
    try:
        torch = Torch()
    except ImportError:
        print(flush=True)
        return
    print("torch", flush=True)
    for line in sys.stdin:
        kind, *sizes = line.split()
        print(f"{torch.seconds(kind, *map(int, sizes)):.9f}", flush=True)


if __name__ == "__main__":
    main()
