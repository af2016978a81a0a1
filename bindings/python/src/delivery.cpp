#include "addresses.hpp"
#include "binding.hpp"
#include "words.hpp"

#include <ima/delivery/handler.hpp>

#include <pybind11/stl.h>

namespace ima::python {
namespace {

using namespace py::literals;

std::vector<address> plain(const std::vector<address_in>& given) {
  std::vector<address> out;
  for (const address_in& a : given) out.push_back(*a);
  return out;
}

void add_result(py::module_& m) {
  using delivery::recipient_result;
  record<recipient_result> c(m, "RecipientResult",
                             R"(What became of a message for one recipient.

>>> ima.delivery.RecipientResult("bob@b.example", "FAIL", "mailbox is full")
RecipientResult(recipient=Address('bob@b.example'), outcome='FAIL', text='mailbox is full')
)");
  c.made(py::init([](const address_in& recipient, delivery::outcome what, std::string text) {
           return recipient_result{*recipient, what, std::move(text)};
         }),
         "recipient"_a, "outcome"_a, "text"_a = "");
  c.field("recipient", &recipient_result::recipient, "The Address.")
      .field("outcome", &recipient_result::what, "OK, FAIL, DEFER or NORECIPIENT.")
      .field("text", &recipient_result::text, "For people; may be empty.");
}

void add_peer(py::module_& m) {
  using peer = delivery::peer_info;
  record<peer> c(m, "PeerInfo", "What a receiver knows of the sending server, never from headers.");
  c.made(py::init([](std::string host, std::string verified_domain, std::string address,
                     std::string tls, const digest& certificate) {
           return peer{std::move(host), std::move(verified_domain), std::move(address),
                       std::move(tls), certificate};
         }),
         "host"_a = "", "verified_domain"_a = "", "address"_a = "", "tls"_a = "",
         "certificate"_a = digest());
  c.field("host", &peer::host, "Our hostpart that the connection was opened for.")
      .field("verified_domain", &peer::verified_domain,
             "The originator's hostpart, proved by the certificate.")
      .field("address", &peer::address, "The network address with its port.")
      .field("tls", &peer::tls, "Protocol and cipher.")
      .field("certificate", &peer::certificate, "Digest of the certificate (DER).");
}

void add_answer(py::module_& m) {
  using answer = delivery::header_answer;
  record<answer> c(m, "HeaderAnswer", R"(The receiver's answer to a header block.

``what`` is ``accept`` (send the body), ``reject`` or ``defer`` (for ``why``), or ``verdict`` (every
recipient has it already).

>>> ima.delivery.HeaderAnswer("reject", why="policy", text="not today").why
'policy'
)");
  c.made(py::init([](answer::kind what, delivery::reason why, std::string text,
                     const std::vector<address_in>& already, const std::vector<address_in>& unknown,
                     delivery::verdict final_verdict) {
           return answer{what, why, std::move(text), plain(already), plain(unknown), final_verdict};
         }),
         "what"_a, py::kw_only(), "why"_a = "internal", "text"_a = "", "already"_a = py::tuple(),
         "unknown"_a = py::tuple(), "verdict"_a = "OK");
  c.field("what", &answer::what, "accept, reject, defer or verdict.")
      .field("why", &answer::why, "A reason word, for reject and defer.")
      .field("text", &answer::text, "For people.")
      .field("already", &answer::already, "Recipients who have it.")
      .field("unknown", &answer::unknown, "Recipients who do not exist.")
      .field("verdict", &answer::final_verdict, "For what = verdict.");
}

}  // namespace

void add_delivery(py::module_& m) {
  add_result(m);
  add_peer(m);
  add_answer(m);
  add_delivery_client(m);
  add_delivery_server(m);
  add_handlers(m);
}

}  // namespace ima::python
