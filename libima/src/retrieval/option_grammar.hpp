#pragma once

#include <ima/error.hpp>
#include <ima/retrieval/sending.hpp>
#include <ima/retrieval/types.hpp>

#include <string>
#include <string_view>

// The words `name=value` of SEARCH and SEND (docs/retrieval.md sections 5.12 and 5.16).

namespace ima::retrieval {

/// Read every word that is left. Error: a refusal() of reason syntax.
result<search_query> read_criteria(std::string_view& rest);
result<send_options> read_send_options(std::string_view& rest);

/// ` name=value` for each. fault::caller, rule `option`.
result<std::string> write_criteria(const search_query& query);
result<std::string> write_send_options(const send_options& options);

}  // namespace ima::retrieval
