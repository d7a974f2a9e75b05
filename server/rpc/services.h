#pragma once

#include "compat/health.grpc.pb.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {

// The services of the server, each registered once; the calls of all serving loops wait at them.
// Readings arrive as bytes, so that bad ones can be told apart from the end of a call.
using StreamQuestions = v1::Forecaster::WithAsyncMethod_Forecast<v1::Forecaster::WithAsyncMethod_GetCursor<
    v1::Forecaster::WithAsyncMethod_GetStream<v1::Forecaster::WithAsyncMethod_ListStreams<
        v1::Forecaster::WithAsyncMethod_ResetStream<v1::Forecaster::WithAsyncMethod_DeleteStream<
            v1::Forecaster::WithAsyncMethod_ForkStream<v1::Forecaster::WithAsyncMethod_ExportStream<
                v1::Forecaster::WithAsyncMethod_ImportStream<v1::Forecaster::Service>>>>>>>>>;
using ModelQuestions = v1::Forecaster::WithAsyncMethod_ListModels<
    v1::Forecaster::WithAsyncMethod_GetModel<v1::Forecaster::WithAsyncMethod_LoadModel<
        v1::Forecaster::WithAsyncMethod_UnloadModel<v1::Forecaster::WithAsyncMethod_SetDefaultModel<
            v1::Forecaster::WithAsyncMethod_Backup<StreamQuestions>>>>>>;
using ForecasterService = v1::Forecaster::WithAsyncMethod_Subscribe<
    v1::Forecaster::WithRawMethod_Push<v1::Forecaster::WithRawMethod_Stream<ModelQuestions>>>;
using HealthService = grpc::health::v1::Health::WithAsyncMethod_Check<
    grpc::health::v1::Health::WithAsyncMethod_Watch<grpc::health::v1::Health::Service>>;
using HealthStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

}  // namespace tidegate
