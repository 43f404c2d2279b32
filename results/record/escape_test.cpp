#include "results/record/escape.h"

#include "tests/catch.h"

namespace results = lra::results;

TEST_CASE("escape: a spreadsheet gets text where it would see a formula, and numbers as they are",
          "[unit]") {
  using results::csv_field;
  CHECK(csv_field("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0");
  CHECK(csv_field("@SUM(1+1)") == "'@SUM(1+1)");
  CHECK(csv_field("+1+1") == "'+1+1");
  CHECK(csv_field("-2+3") == "'-2+3");
  CHECK(csv_field("\t=1") == "'\t=1");
  CHECK(csv_field("＝1") == "'＝1");
  CHECK(csv_field("=a,b") == "\"'=a,b\"");
  CHECK(csv_field("-1.5") == "-1.5");
  CHECK(csv_field("+2e-05") == "+2e-05");
  CHECK(csv_field("-") == "'-");
  CHECK(csv_field("-inf") == "'-inf");
  CHECK(csv_field("a \"b\", c") == "\"a \"\"b\"\", c\"");
  CHECK(csv_field("—") == "—");
}

TEST_CASE("escape: text makes no links, cells or commands", "[unit]") {
  CHECK(results::markdown_escape("[x](javascript:a) ![y](z)") ==
        R"(\[x\](javascript:a) !\[y\](z))");
  CHECK(results::markdown_escape("a|b\\|c\n*d*_e_`f`<g>") == R"(a\|b\\\|c \*d\*\_e\_\`f\`&lt;g>)");
  CHECK(results::one_line("a\x1b[2J\tb\x7f") == "a [2J b ");
  CHECK(results::html_escape("<a href=\"x\">&") == "&lt;a href=&quot;x&quot;&gt;&amp;");
  CHECK(results::latex_escape("50 % of a_b ±") == "50 \\% of a\\_b $\\pm$");
}
