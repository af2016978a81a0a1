#include "binding.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/tls/explain.hpp>

#include <pybind11/stl.h>

namespace ima::python {

void add_explain(py::module_& m) {
  using namespace py::literals;
  record<tls::step>(m, "Step", "One rule of docs/identity.md, looked at.")
      .computed(
          "rule", [](const tls::step& s) { return std::string(s.rule); }, "The rule's word.")
      .field("verdict", &tls::step::what, "good, bad, or skipped where it does not apply.")
      .field("text", &tls::step::text, "A sentence for people; may quote the certificate.");
  record<tls::explanation>(m, "Explanation", "How a chain was judged.")
      .field("certificate", &tls::explanation::certificate, "CertificateFacts of the leaf.")
      .field("steps", &tls::explanation::steps, "A Step for each rule and store, in order.")
      .computed(
          "refused",
          [](const tls::explanation& e) -> py::object {
            if (!e.refused) return py::none();
            return exception_for(*e.refused);
          },
          "The Error that a connection would report; None where the chain proves the domain.");
  m.def(
      "explain",
      [](const tls::context& with, std::string_view chain, std::string_view domain,
         tls::peer_role role) {
        return take(without_gil([&] { return tls::explain(with, chain, domain, role); }));
      },
      "context"_a, "chain"_a, "domain"_a, "role"_a = "server",
      R"(What a connection would decide about a peer's chain (PEM, leaf first), and why.

``role`` is that of the peer: client or server.

>>> ima.tls.explain(Context(), "no certificate", "b.example")
Traceback (most recent call last):
    ...
ima.errors.LocalProtocolError: ... [certificate-file]
)");
}

}  // namespace ima::python
