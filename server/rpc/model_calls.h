#pragma once

namespace tidegate {

class ServingLoop;

// Waits for clients of LoadModel, UnloadModel and SetDefaultModel, which the group's ModelAdmin does.
void WaitForModelCalls(ServingLoop& loop);

}  // namespace tidegate
