#!/usr/bin/python3
"""Pushes readings to a Tidegate server and prints the forecasts: a starting point for a client of your own.

Needs Debian's python3-grpcio and python3-grpc-tools (or grpcio and grpcio-tools). Make the stubs, then run:
    mkdir -p build/python
    python3 -m grpc_tools.protoc -Iproto --python_out=build/python --grpc_python_out=build/python \\
        proto/tidegate/v1/forecaster.proto
    PYTHONPATH=build/python clients/python/push.py 127.0.0.1:50051
"""
import sys
import time

import grpc
from tidegate.v1 import forecaster_pb2 as pb
from tidegate.v1 import forecaster_pb2_grpc


def main():
    channel = grpc.insecure_channel(sys.argv[1])
    forecaster = forecaster_pb2_grpc.ForecasterStub(channel)
    interval_ns = 5 * 10**9  # of the demo model
    start = time.time_ns() - 60 * interval_ns
    for tick in range(60):
        # One reading of one stream: the model's features in their order, here temperature and humidity.
        request = pb.PushRequest(
            stream_id=["greenhouse-7"],
            timestamp=[start + tick * interval_ns],
            value=[21.0 + 0.02 * tick, 45.0],
        )
        answer = forecaster.Push(request, timeout=5)
        outcome = pb.Outcome.Name(answer.outcome[0])
        quantiles = len(answer.quantile)
        last = (answer.horizon - 1) * quantiles
        print(
            f"step {answer.steps[0]:3d}  {outcome}  "
            f"in {answer.horizon * answer.interval / 1e9:.0f} s: "
            + " / ".join(f"{value:.2f}" for value in answer.forecast[last : last + quantiles])
            + ("  (cold)" if answer.quality[0] & pb.QUALITY_COLD else "")
        )


if __name__ == "__main__":
    main()
