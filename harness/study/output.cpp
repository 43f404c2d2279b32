// The study's results as JSON, CSV, Markdown and a chart.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/study/separation.h"
#include "results/record/study_record.h"

namespace lra::harness::study {
namespace {

using nlohmann::json;

std::string quantity(Mode mode) {
  if (mode == Mode::theory) return "success rate";
  return mode == Mode::noise ? "R2" : "test accuracy";
}

// Notes on the interpretation of the numbers.
std::string caveat(Mode mode) {
  if (mode == Mode::theory) {
    return "Weights are fixed: this says nothing about trained networks, where a learned scale can "
           "lift a signal of order 1/n above any threshold.";
  }
  if (mode == Mode::noise) {
    return "Weights are given, not learned; a kernel above its optimum by more than noise is "
           "wrong.";
  }
  return "The reference lines are the best single-threshold accuracies of each family's statistic, "
         "guides and no bounds.";
}

std::string source(const Request& r) {
  if (r.mode == Mode::noise) return std::string(kNoiseSource);
  if (r.mode == Mode::train) return std::string(kTrainSource);
  return r.setting.cross ? fmt::format("{}; {}", kCrossSource, kTheorySource)
                         : std::string(kTheorySource);
}

// A point's setting as far as its mode has it.
results::StudySetting setting_of(const Point& p, Mode mode) {
  const Setting& x = p.setting;
  results::StudySetting out;
  out.n = x.n;
  if (mode == Mode::noise) {
    out.f = x.f;
    return out;
  }
  out.d = x.d;
  out.m = x.m;
  out.a1 = x.a1;
  out.b = 1 - x.c;
  out.c = x.c;
  if (mode == Mode::train) {
    out.residual = x.residual;
    out.maxpool = x.maxpool;
  } else {
    out.a0 = x.a0;
    out.eps = x.eps;
    out.cross = x.cross;
    out.scaled = p.kernel == "softmax_scaled";
  }
  return out;
}

std::string cell(const Point& p) {
  std::string text = p.value ? fmt::format("{:.3f}", *p.value) : "—";
  if (p.successes)
    text += fmt::format(" ({:.2f}, {:.2f})",
                        static_cast<double>(*p.false_positives) / static_cast<double>(p.trials),
                        static_cast<double>(*p.detections) / static_cast<double>(p.trials));
  if (p.reference) text += fmt::format(" / {:.3f}", *p.reference);
  return text;
}

// Points by kernel in order of first appearance.
std::vector<std::pair<std::string, std::vector<const Point*>>> by_kernel(
    const std::vector<Point>& points) {
  std::vector<std::pair<std::string, std::vector<const Point*>>> rows;
  for (const Point& p : points) {
    if (rows.empty() || rows.back().first != p.kernel) rows.push_back({p.kernel, {}});
    rows.back().second.push_back(&p);
  }
  return rows;
}

}  // namespace

json to_json(const Request& r, const std::vector<Point>& points) {
  results::StudyRecord record{.mode = r.mode,
                              .seed = static_cast<std::int64_t>(r.seed),  // checked by run_study()
                              .swept = r.swept,
                              .values = r.values,
                              .quantity = quantity(r.mode),
                              .source = source(r),
                              .caveat = caveat(r.mode)};
  for (const Point& p : points) {
    record.points.push_back({.kernel = p.kernel,
                             .trials = p.trials,
                             .value = p.value,
                             .low = p.low,
                             .high = p.high,
                             .reference = p.reference,
                             .mode = r.mode,
                             .source = p.source,
                             .setting = setting_of(p, r.mode),
                             .successes = p.successes,
                             .false_positives = p.false_positives,
                             .detections = p.detections});
  }
  return results::to_json(record);
}

std::string to_csv(const Request& r, const std::vector<Point>& points) {
  const json all = to_json(r, points).at("points");
  std::string text;
  for (const json& p : all) {
    if (text.empty()) {
      for (const auto& [name, value] : p.items()) text += (text.empty() ? "" : ",") + name;
      text += "\n";
    }
    std::string line;
    for (const auto& [name, value] : p.items()) {
      if (!line.empty()) line += ",";
      line += value.is_null() ? "" : value.dump();
    }
    text += line + "\n";
  }
  return text;
}

std::string to_table(const Request& r, const std::vector<Point>& points) {
  std::string text = fmt::format("| {} \\ {} |", quantity(r.mode), r.swept);
  std::string rule = "|---|";
  for (const double value : r.values) {
    text += fmt::format(" {:g} |", value);
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  for (const auto& [kernel, row] : by_kernel(points)) {
    text += fmt::format("| {} |", kernel);
    for (const Point* p : row) text += fmt::format(" {} |", cell(*p));
    text += "\n";
  }
  if (r.mode == Mode::theory) {
    text += "\nIn brackets: rates of false positives and of detections.";
  } else if (r.mode == Mode::noise) {
    text += "\nMeasured / the family's population optimum.";
  } else {
    text += "\nMeasured / the family's reference line.";
  }
  return text + fmt::format("\n{}\n{}\n", caveat(r.mode), source(r));
}

std::string to_svg(const Request& r, const std::vector<Point>& points) {
  constexpr double kWidth = 640, kHeight = 360, kLeft = 50, kRight = 130, kTop = 20, kBottom = 45;
  static const std::vector<std::string> colours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                "#56b4e9", "#e69f00", "#444444"};
  double low = *std::min_element(r.values.begin(), r.values.end());
  double high = *std::max_element(r.values.begin(), r.values.end());
  const bool logarithmic = low > 0 && high / low >= 8;
  const auto scale = [logarithmic](double v) { return logarithmic ? std::log(v) : v; };
  const double span = high > low ? scale(high) - scale(low) : 1;
  const auto x = [&](double v) {
    return kLeft + (kWidth - kLeft - kRight) * (scale(v) - scale(low)) / span;
  };
  const auto y = [&](double v) {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * std::clamp(v, 0.0, 1.0);
  };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      kWidth, kHeight);
  for (int i = 0; i <= 4; ++i) {
    const double v = i / 4.0;
    svg += fmt::format(
        "<path d=\"M{} {:.1f}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{:g}</text>\n",
        kLeft, y(v), kWidth - kRight, kLeft - 6, y(v) + 4, v);
  }
  for (const double v : r.values) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", x(v),
                       kHeight - kBottom + 18, v);
  }
  svg += fmt::format(
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n"
      "<text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 8, r.swept, kHeight / 2, quantity(r.mode));
  std::size_t series = 0;
  for (const auto& [kernel, row] : by_kernel(points)) {
    const std::string& colour = colours[series % colours.size()];
    std::string line;
    std::string reference;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double at = x(r.values[i]);
      const Point& p = *row[i];
      if (p.reference) {
        reference +=
            fmt::format("{}{:.1f} {:.1f}", reference.empty() ? "M" : "L", at, y(*p.reference));
      }
      if (!p.value) continue;
      line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", at, y(*p.value));
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", at,
                         y(*p.value), colour);
    }
    const auto path = [&](const std::string& d, const char* dash) {
      if (d.empty()) return;
      svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n", d,
                         colour, dash);
    };
    path(line, "");
    path(reference, " stroke-dasharray=\"4 4\" opacity=\"0.6\"");
    svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", kWidth - kRight + 12,
                       kTop + 12 + 18 * static_cast<double>(series), colour, kernel);
    ++series;
  }
  return svg + "</svg>\n";
}

}  // namespace lra::harness::study
