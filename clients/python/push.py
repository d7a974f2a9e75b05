#!/usr/bin/python3
"""Pushes readings to a Tidegate server and prints the forecasts: a starting point for a client of your own.

Readings are numbered, so that one that is sent again is never counted twice; what a server that starts, drains or has
no room does not take is sent again, and a second run goes on where the first one ended.

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

STREAM = "greenhouse-7"
INTERVAL_NS = 5 * 10**9  # of the demo model
READINGS = 60
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)


def ask(call, request):
    """The answer; what passes is tried again, a little later each time."""
    wait = 0.1
    while True:
        try:
            answer = call(request, timeout=5)
        except grpc.RpcError as error:
            if error.code() not in PASSING:
                raise
            print(f"{error.code().name}: {error.details()}; again in {wait:.1f} s", file=sys.stderr)
        else:
            if not isinstance(answer, pb.PushResponse) or answer.outcome[0] != pb.OUTCOME_OVERLOADED:
                return answer
            print(f"OVERLOADED; again in {wait:.1f} s", file=sys.stderr)
        time.sleep(wait)
        wait = min(2 * wait, 10)


def show(answer):
    outcome = pb.Outcome.Name(answer.outcome[0])
    if not answer.forecast or answer.outcome[0] not in (pb.OUTCOME_APPLIED, pb.OUTCOME_DUPLICATE):
        reason = f" ({pb.Reason.Name(answer.reason[0])})" if answer.reason else ""
        print(f"{outcome}{reason}: no forecast")
        return
    quantiles = len(answer.quantile)
    last = (answer.horizon - 1) * quantiles
    print(
        f"step {answer.steps[0]:3d}  {outcome}  "
        f"in {answer.horizon * answer.interval / 1e9:.0f} s: "
        + " / ".join(f"{value:.2f}" for value in answer.forecast[last : last + quantiles])
        + ("  (cold)" if answer.quality[0] & pb.QUALITY_COLD else "")
    )


def main():
    forecaster = forecaster_pb2_grpc.ForecasterStub(grpc.insecure_channel(sys.argv[1]))
    # What the server has of the stream, from an earlier run: 0 and 0 if nothing.
    cursor = ask(forecaster.GetCursor, pb.GetCursorRequest(stream_id=[STREAM]))
    number, last_ns = cursor.sequence[0], cursor.timestamp[0]
    first_ns = max(time.time_ns() - (READINGS - 1) * INTERVAL_NS, last_ns + INTERVAL_NS)
    for tick in range(READINGS):
        # One reading of one stream: the model's features in their order, here temperature and humidity.
        number += 1
        request = pb.PushRequest(
            stream_id=[STREAM],
            timestamp=[first_ns + tick * INTERVAL_NS],
            value=[21.0 + 0.02 * tick, 45.0],
            sequence=[number],
        )
        show(ask(forecaster.Push, request))


if __name__ == "__main__":
    main()
