#include "clients/cli/load_lane.h"

#include <grpcpp/support/proto_buffer_writer.h>

namespace tidegate {

grpc::ByteBuffer LoadLane::Take(Sent& sent) {
  grpc::ByteBuffer bytes;
  if (opened() && feed_.ended()) {
    due_.clear();
    owner_.OnFeedEnd();
    return bytes;
  }
  sent.intended = due_.front();
  due_.pop_front();
  sent.opening = !opened();
  const v1::PushRequest& request = sent.opening ? feed_.Open() : feed_.Next();
  sent.readings = static_cast<std::size_t>(request.timestamp_size());
  const auto size = static_cast<int>(request.ByteSizeLong());
  {
    grpc::ProtoBufferWriter writer(&bytes, grpc::kProtoBufferWriterMaxBufferLength, size);
    request.SerializeToZeroCopyStream(&writer);
  }
  ++unanswered_;
  owner_.OnSend(sent);
  return bytes;
}

}  // namespace tidegate
