// Numbers and texts of a table in each of its formats.

#include <algorithm>
#include <string>

#include "results/record/testing.h"
#include "results/table/table.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::TableFormat;
using lra::results::TableOptions;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

TEST_CASE("table: numbers keep three digits or fixed decimals", "[unit]") {
  using results::format_number;
  CHECK(format_number(36.374, 2) == "36.37");
  CHECK(format_number(-0.004, 2) == "0.00");
  CHECK(format_number(0.63, 2, true) == "+0.63");
  CHECK(format_number(-1.5, 1, true) == "-1.5");
  CHECK(format_number(1234567, 0) == "1,234,567");
  CHECK(format_number(256789.0, -1) == "257,000");
  CHECK(format_number(123.4, -1) == "123");
  CHECK(format_number(9.0449, -1) == "9.04");
  CHECK(format_number(0.01234, -1) == "0.0123");
  CHECK(format_number(0, -1) == "0.00");
  CHECK(results::format_number_like(0.0636, 9.04, -1) == "0.06");
  CHECK(results::format_number_like(1234, 256789, -1) == "1,000");
  CHECK(results::format_p(0.0416) == "p = 0.042");
  CHECK(results::format_p(0.0005) == "p = 0.001");
  CHECK(results::format_p(0.00049) == "p < 0.001");
  CHECK(results::mark_letter(0) == "a");
  CHECK(results::mark_letter(27) == "ab");
}

TEST_CASE("table: the numbers of seeds can be left out of CSV as well", "[unit]") {
  const std::vector<Record> records{sample_record("listops", "softmax", 1),
                                    sample_record("listops", "softmax", 2)};
  TableOptions options;
  options.columns = {"listops"};
  options.format = TableFormat::csv;
  CHECK_THAT(results::render_table(records, options),
             ContainsSubstring("listops.sd,accuracy:listops.n,accuracy:listops.runs,notes") &&
                 ContainsSubstring("measured,softmax,37,0,2,"));
  options.seeds = false;
  CHECK_THAT(results::render_table(records, options),
             ContainsSubstring("listops.sd,accuracy:listops.runs,notes") &&
                 ContainsSubstring("measured,softmax,37,0,") &&
                 !ContainsSubstring("measured,softmax,37,0,2,"));
}

TEST_CASE("table: special characters are escaped in every format", "[unit]") {
  Record record = sample_record();
  record.attention.label = "a_b & <c> | \"d\", 5 % $x$";
  TableOptions options;
  options.columns = {"listops"};
  const auto render = [&](TableFormat format) {
    options.format = format;
    return results::render_table({record}, options);
  };
  CHECK_THAT(render(TableFormat::md), ContainsSubstring(R"(| a\_b & &lt;c> \| "d", 5 % $x$ |)"));
  CHECK_THAT(
      render(TableFormat::tex),
      ContainsSubstring(R"(a\_b \& \textless{}c\textgreater{} \textbar{} ''d'', 5 \% \$x\$ &)"));
  CHECK_THAT(render(TableFormat::html),
             ContainsSubstring("a_b &amp; &lt;c&gt; | &quot;d&quot;, 5 % $x$</td>"));
  CHECK_THAT(render(TableFormat::csv), ContainsSubstring(R"("a_b & <c> | ""d"", 5 % $x$")"));
}

TEST_CASE("table: labels that a spreadsheet or a page would run are text", "[unit]") {
  Record record = sample_record();
  record.attention.label = "=cmd|' /C calc'!A0";
  record.task.title = "[x](javascript:alert(1))";
  TableOptions options;
  options.columns = {"listops", "versus"};
  options.format = TableFormat::csv;
  CHECK_THAT(results::render_table({record}, options), ContainsSubstring("measured,'=cmd|"));
  options.format = TableFormat::md;
  CHECK_THAT(results::render_table({record}, options),
             ContainsSubstring(R"(\[x\](javascript:alert(1)))") && !ContainsSubstring(" [x]("));
  record.attention.label = "a\x1b[2Jb";
  options.format = TableFormat::text;
  CHECK_THAT(results::render_table({record}, options), !ContainsSubstring("\x1b"));
}

TEST_CASE("table: the best number of each column is bold on request, ties as they are shown",
          "[unit]") {
  std::vector<Record> records{sample_record("listops", "softmax"),
                              sample_record("listops", "linear_transformer"),
                              sample_record("listops", "cosformer")};
  records[0].accuracy.value.test = 0.36;
  records[1].memory.peak_tensor_bytes = 1000000;
  TableOptions options;
  options.columns = {"listops", "memory", "parameters"};
  options.bold = true;
  const auto table = results::build_table(records, options);
  CHECK(table.rows[0].label == "cosformer");
  CHECK(table.rows[0].cells[0].best);
  CHECK(table.rows[1].cells[0].best);
  CHECK_FALSE(table.rows[2].cells[0].best);
  CHECK(table.rows[1].cells[1].best);
  CHECK_FALSE(table.rows[0].cells[1].best);
  CHECK_FALSE(table.rows[0].cells[2].best);  // neither is better
  CHECK_THAT(results::format_table(table, TableFormat::md), ContainsSubstring("**37.00 (1)**"));
  CHECK_THAT(results::format_table(table, TableFormat::tex), ContainsSubstring("\\textbf{37.00}"));
  CHECK_THROWS_WITH(results::format_table(table, TableFormat::leaderboard),
                    ContainsSubstring("leaderboard is made of records"));
}

TEST_CASE("table: long names of rows leave the numbers their room", "[unit]") {
  Record record = sample_record("listops", "softmax");
  record.baselines[0].title =
      "the most frequent label of train for how well bars placed as the generator places them lead "
      "from one disc to the other";
  TableOptions options;
  options.columns = {"listops"};
  const auto longest = [](const std::string& text) {
    std::size_t most = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      most = std::max(most, end - at);
      at = end + 1;
    }
    return most;
  };
  options.format = TableFormat::text;
  const std::string text = results::render_table({record}, options);
  INFO(text);
  CHECK_THAT(text, ContainsSubstring("the most frequent label of train for") &&
                       ContainsSubstring("\n  how well bars placed as the"));
  CHECK(longest(text.substr(text.find("model"), text.find("Mean") - text.find("model"))) < 180);
  options.format = TableFormat::tex;
  const std::string tex = results::render_table({record}, options);
  CHECK_THAT(tex, ContainsSubstring("\\begin{tabular}[t]{@{}l@{}}the most frequent label of train "
                                    "for\\\\how well bars placed as the"));
}

TEST_CASE("table: LaTeX has a caption for its label, and no line is an argument", "[unit]") {
  Record record = sample_record("listops", "softmax");
  record.attention.label = "[x] of mine";
  record.task.title = "*own";
  TableOptions options;
  options.columns = {"listops"};
  options.format = TableFormat::tex;
  const std::string tex = results::render_table({record}, options);
  INFO(tex);
  // \\label takes the number of the caption before it.
  CHECK(tex.find("\\caption{Accuracy in percent") < tex.find("\\label{tab:lra}"));
  CHECK_THAT(tex, ContainsSubstring("\n{}[x] of mine") && ContainsSubstring("\n{}*own: generated"));
  options.caption = "Mine";
  CHECK_THAT(results::render_table({record}, options),
             ContainsSubstring("\\caption{Mine}\n\\label{tab:lra}"));
}
