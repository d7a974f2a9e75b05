#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "engine/model/spec.h"
#include "server/rpc/exchange.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// What must hold of a request as a whole; faults of single readings are outcomes. handles_named: by earlier
// messages of the call. InvalidArgument: columns whose lengths disagree, too many readings or ids, steps or
// levels that the model does not forecast. ResourceExhausted: too many handles.
absl::Status CheckRequest(const v1::PushRequest& request, const ModelSpec& spec, std::size_t handles_named);

// InvalidArgument: `id`, sent in `field`, is none that a stream may have (see IsStreamId), nor the beginning
// of one.
absl::Status CheckStreamId(absl::string_view field, absl::string_view id);

// What a client may want of a forecast: the first steps, 0 for all, and levels among the model's, none for
// all. InvalidArgument: the model forecasts no such step or level, or the levels do not rise.
using Levels = google::protobuf::RepeatedField<float>;
absl::Status CheckWanted(std::uint32_t horizon, const Levels& levels, const ModelSpec& spec);
// The indices of the levels wanted. Requires CheckWanted.
void FindLevels(const Levels& levels, const ModelSpec& spec, std::vector<std::uint8_t>& indices);

// Floats of each forecast that the request wants.
std::size_t WantedFloats(const v1::PushRequest& request, const ModelSpec& spec);

// Readings that one message may have whose forecasts are so long.
std::size_t MaxMessageReadings(std::size_t wanted_floats);

// Bytes of the answer to one reading, at most.
std::size_t AnswerBytes(std::size_t wanted_floats);

// Points the columns of the exchange's work at its checked request, and makes room for the answer in its
// response.
void PrepareExchange(const ModelSpec& spec, Exchange& exchange);

// After the work: makes the response ready to be sent.
void CompleteResponse(Exchange& exchange);

}  // namespace tidegate
