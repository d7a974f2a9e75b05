#pragma once

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <vector>

namespace tidegate {

// Sends `bytes` as the only message of a call of `method`. answer: null, or where the first answer's bytes
// go.
inline grpc::Status SendBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                              const std::string& bytes, std::string* answer = nullptr) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  const auto call = stub.PrepareCall(&context, method, &queue);
  grpc::Slice slice(bytes);
  grpc::Status status;
  grpc::ByteBuffer received;
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  queue.Next(&tag, &ok);
  call->Read(&received, nullptr);
  queue.Next(&tag, &ok);
  if (ok && answer != nullptr) {
    std::vector<grpc::Slice> slices;
    static_cast<void>(received.Dump(&slices));
    for (const grpc::Slice& part : slices) {
      answer->append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  return status;
}

}  // namespace tidegate
