#include "result_json.hpp"

#include <string>

namespace ima::tools {

void put_results(json_writer& out, const std::vector<delivery::recipient_result>& results) {
  out.array();
  for (const auto& r : results) {
    out.object().key("recipient").text(r.recipient.text());
    out.key("result").text(to_string(r.what)).key("text").text(r.text).end();
  }
  out.end();
}

}  // namespace ima::tools
