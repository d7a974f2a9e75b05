#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/fault/fault.h"

namespace tidegate {

// Fields that this server does not know take a hundred bytes of memory for two that were sent, so that a
// newer client may send some, but not a message full of them.
inline constexpr std::size_t kUnknownFields = 64;

// Of the message, not of those within it.
inline std::size_t OwnUnknownFields(const google::protobuf::Message& message) {
  return static_cast<std::size_t>(message.GetReflection()->GetUnknownFields(message).field_count());
}

// Of the message and those within it.
inline std::size_t CountUnknownFields(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::size_t count = OwnUnknownFields(message);
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      count += CountUnknownFields(reflection.GetMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      count += CountUnknownFields(reflection.GetRepeatedMessage(message, field, i));
  }
  return count;
}

// InvalidArgument: there are more than kUnknownFields. count: of a message's unknown fields.
inline absl::Status CheckUnknownFields(std::size_t count) {
  if (count <= kUnknownFields) return absl::OkStatus();
  return Refusal(Fault::kMalformedRequest, "",
                 absl::StrCat(count, " fields that this server does not know; at most ", kUnknownFields,
                              " are left aside"));
}

}  // namespace tidegate
