#include "engine/model/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string ErrorAfter(const std::function<void(json&)>& change) {
  json spec = json::parse(WriteSpec(TinySpec()));
  change(spec);
  const auto parsed = ParseSpec(spec.dump());
  EXPECT_FALSE(parsed.ok());
  return std::string(parsed.status().message());
}

TEST(SpecTest, WhatIsWrittenIsReadBack) {
  ModelSpec spec = TinySpec(LayerKind::kLstm, 7, 2);
  spec.target = 1;
  spec.reorder_window = 64;
  spec.validation = {0.5, 0.75, 0.25, 0.8, 1234};
  spec.weights_sha256 = "abc";
  const std::string text = WriteSpec(spec);
  const auto read = ParseSpec(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(WriteSpec(*read), text);
  EXPECT_EQ(read->target, 1u);
  EXPECT_EQ(read->reorder_window, 64u);
  EXPECT_EQ(read->layers[1].kind, LayerKind::kLstm);
  EXPECT_EQ(read->validation.origins, 1234u);
  EXPECT_EQ(read->inputs(), 4u);
  EXPECT_EQ(read->outputs(), 9u);
}

TEST(SpecTest, ErrorsNameTheField) {
  EXPECT_THAT(ErrorAfter([](json& j) { j["name"] = "../etc"; }), HasSubstr("name: '../etc'"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["interval_ns"] = 0; }), HasSubstr("interval_ns"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["target"] = "pressure"; }), HasSubstr("target"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["inputs"] = json::array(); }), HasSubstr("inputs"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["features"] = json::array(); }), HasSubstr("features"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["features"][0]["deviation"] = 0; }), HasSubstr("temperature"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["features"][1]["name"] = "temperature"; }),
              HasSubstr("stands twice"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["layers"] = json::array(); }), HasSubstr("layers"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["layers"][0]["layer"] = "transformer"; }), HasSubstr("transformer"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["layers"][0]["units"] = 5000; }), HasSubstr("units"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["horizon"] = 5; }), HasSubstr("step_deviation"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["quantiles"] = {0.5, 0.1, 0.9}; }), HasSubstr("quantiles"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["quantiles"] = {0.1, 0.9}; }), HasSubstr("odd"));
  EXPECT_THAT(ErrorAfter([](json& j) {
                j["quantiles"] = {0.5, 0.7, 0.9};
              }),
              HasSubstr("quantiles: expected 0.5, the median, in the middle of several"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["interval_ns"] = std::int64_t{1} << 60; }),
              HasSubstr("interval_ns"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["bridge_limit"] = 2000; }), HasSubstr("bridge_limit"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["reorder_window"] = 65; }),
              HasSubstr("reorder_window: 65; expected 0 (readings come in order) to 64 ticks"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["input_limit"] = 0; }), HasSubstr("input_limit: 0; expected 1"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["bias_period"] = 70'000; }), HasSubstr("bias_period"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["warm_up"] = "many"; }), HasSubstr("file"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["warm_up"] = -1; }), HasSubstr("warm_up"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["colour"] = "red"; }), HasSubstr("colour: unknown field"));
  EXPECT_THAT(ErrorAfter([](json& j) { j["format"] = 99; }), HasSubstr("format: 99"));
  EXPECT_THAT(ErrorAfter([](json& j) { j.erase("layers"); }), HasSubstr("layers"));
  EXPECT_THAT(std::string(ParseSpec("{").status().message()), HasSubstr("not valid JSON"));
  EXPECT_THAT(std::string(ParseSpec(std::string(100000, '[')).status().message()), HasSubstr("file"));
}

TEST(SpecTest, AFileFromBeforeAFieldIsReadAsItWasMeant) {
  json spec = json::parse(WriteSpec(TinySpec()));
  for (const char* const field : {"reorder_window", "bias_period", "input_limit"})
    EXPECT_EQ(spec.erase(field), 1u);
  const auto read = ParseSpec(spec.dump());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->reorder_window, 0u);
  EXPECT_EQ(read->bias_period, 0u);
  EXPECT_EQ(read->input_limit, 8);
}

TEST(SpecTest, EveryOptionOfANetworkIsReadBack) {
  ModelSpec spec = TinySpec();
  spec.layers = {
      {.kind = LayerKind::kConv1d, .units = 4, .kernel = 3, .stride = 3, .relative = true, .relu = true},
      {.kind = LayerKind::kLstm, .units = 8, .peepholes = true, .projection = 4, .dropout = 0.25f},
      {.kind = LayerKind::kGluGru, .units = 4, .residual = true},
      {.kind = LayerKind::kGruLayerNorm, .units = 5}};
  spec.interleaved = true;
  spec.head = HeadKind::kParallel;
  spec.segment = 3;
  spec.channels = 2;
  spec.linear_context = 7;
  spec.cycle = 24;
  spec.bias_period = 24;
  spec.input_limit = 1000;
  const auto read = ParseSpec(WriteSpec(spec));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->layers, spec.layers);
  EXPECT_EQ(WriteSpec(*read), WriteSpec(spec));
  EXPECT_EQ(read->inputs(), 3u);  // level and difference of the first feature, the channel's number
}

// What a state cannot carry is refused, with the reason.
TEST(SpecTest, WindowedByNatureIsRefusedStatefully) {
  const auto error = [](const std::function<void(ModelSpec&)>& change) {
    ModelSpec spec = TinySpec();
    change(spec);
    return std::string(CheckSpec(spec).message());
  };
  EXPECT_THAT(error([](ModelSpec& s) { s.layers[0].bidirectional = true; }),
              AllOf(HasSubstr("bidirectional"), HasSubstr("cannot be carried on; set a window")));
  EXPECT_THAT(error([](ModelSpec& s) { s.instance_normalisation = true; }),
              AllOf(HasSubstr("instance_normalisation"), HasSubstr("cannot be carried on; set a window")));
  for (const auto& change : {+[](ModelSpec& s) { s.layers[0].bidirectional = true; },
                             +[](ModelSpec& s) { s.instance_normalisation = true; }}) {
    ModelSpec spec = TinySpec();
    change(spec);
    spec.window = 8;
    EXPECT_TRUE(CheckSpec(spec).ok()) << CheckSpec(spec);
  }
  EXPECT_THAT(error([](ModelSpec& s) { s.head = HeadKind::kRecursive; }), HasSubstr("expected one feature"));
  EXPECT_THAT(error([](ModelSpec& s) { s.head = HeadKind::kParallel; }),
              HasSubstr("do not divide the horizon"));
  EXPECT_THAT(error([](ModelSpec& s) { s.channels = 2; }), HasSubstr("the parallel head's alone"));
  EXPECT_THAT(error([](ModelSpec& s) { s.window = 1; }), HasSubstr("window: 1"));
  EXPECT_THAT(error([](ModelSpec& s) { s.interleaved = true; }), HasSubstr("no layer is strided"));
  EXPECT_THAT(error([](ModelSpec& s) {
                s.level_inputs = false;
                s.linear_context = 4;
              }),
              HasSubstr("wants level inputs"));
}

}  // namespace
}  // namespace tidegate
