#pragma once

#include <ima/retrieval/client.hpp>
#include <ima/retrieval/sending.hpp>

#include <string>
#include <vector>

namespace ima::python {

/// What became of a message that a post office sent.
struct submitted {
  retrieval::send_verdict verdict;
  std::string saved;
  std::vector<retrieval::recipient_outcome> outcomes;
  std::vector<retrieval::reply::note> notes;
};

}  // namespace ima::python
