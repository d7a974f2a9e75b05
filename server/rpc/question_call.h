#pragma once

namespace tidegate {

class ServingLoop;

// Waits for clients of all calls that StreamService and ModelService answer in a single step: where the
// stream is, or at all shards in turn.
void WaitForQuestions(ServingLoop& loop);

}  // namespace tidegate
