#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "clients/cli/connection.h"
#include "clients/cli/server_error.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {

// Single calls to a server, over one connection, which must outlive it.
class ForecasterClient {
 public:
  ForecasterClient(const Connection& connection, const ConnectionOptions& options)
      : connection_(connection),
        server_(options.server),
        stub_(v1::Forecaster::NewStub(connection.channel())) {}

  // method: of the stub, &v1::Forecaster::Stub::GetStream. Errors: see FromServer.
  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response& response) {
    grpc::ClientContext context;
    connection_.Authorize(context);
    return FromServer((*stub_.*method)(&context, request, &response), server_);
  }

 private:
  const Connection& connection_;
  const std::string server_;
  std::unique_ptr<v1::Forecaster::Stub> stub_;
};

}  // namespace tidegate
