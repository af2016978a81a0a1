#include "binding.hpp"
#include "times.hpp"

#include <ima/tls/context.hpp>
#include <ima/tls/engine.hpp>
#include <ima/tls/identity.hpp>

#include <pybind11/stl.h>

#include <string>
#include <utility>

namespace ima::python {
namespace {

using namespace py::literals;

template <class E>
E word_to(std::string_view word, std::initializer_list<std::pair<std::string_view, E>> words) {
  for (const auto& [known, value] : words)
    if (known == word) return value;
  throw py::value_error("an unknown word: " + std::string(word));
}

tls::common_name policy_from(std::string_view word) {
  return word_to<tls::common_name>(
      word, {{"fallback", tls::common_name::fallback}, {"never", tls::common_name::never}});
}

using credentials = std::vector<std::pair<path_in, path_in>>;

tls::context make_context(const credentials& files, std::string_view protocol, bool system_store,
                          path_in ca_file, path_in crl, std::string_view names,
                          std::optional<std::chrono::sys_seconds> now) {
  tls::context_options options;
  options.inside = word_to<tls::protocol>(
      protocol, {{"imdp", tls::protocol::imdp}, {"imrp", tls::protocol::imrp}});
  for (const auto& [chain, key] : files) options.credentials.push_back({chain.held, key.held});
  options.system_store = system_store;
  options.ca_file = std::move(ca_file.held);
  options.crl = std::move(crl.held);
  options.names = policy_from(names);
  options.now = now;
  return take(without_gil([&] { return tls::context::create(options); }));
}

// An engine with the octets it may still refer to.
class engine {
 public:
  explicit engine(tls::engine e) : engine_(std::move(e)) {}

  void receive(octets_in more) { engine_.receive(fed_.add(std::move(more))); }
  void receive_eof() { engine_.receive_eof(); }

  py::bytes read(std::size_t size) {
    PyObject* made = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size));
    if (made == nullptr) throw py::error_already_set();
    auto got = engine_.read(PyBytes_AS_STRING(made), size);
    if (!got) Py_DECREF(made);
    const std::size_t count = take(std::move(got));
    // With size 0 there may be octets left behind the handshake.
    if (count == 0 && (size > 0 || !engine_.handshake_done())) fed_.clear();
    if (_PyBytes_Resize(&made, static_cast<py::ssize_t>(count)) != 0) throw py::error_already_set();
    return py::reinterpret_steal<py::bytes>(made);
  }
  void write(const octets_in& plaintext) { take(engine_.write(plaintext.view())); }
  void shutdown() { engine_.shutdown(); }

  py::bytes take_output() {
    py::bytes out = to_bytes(engine_.pending_output());
    engine_.sent(engine_.pending_output().size());
    return out;
  }
  bool handshake_done() const { return engine_.handshake_done(); }
  bool closed() const { return engine_.closed(); }
  tls::peer_facts peer() const {
    if (!engine_.handshake_done())
      raise({fault::caller, "out-of-turn", "", "the peer is not known before the handshake"});
    return engine_.peer();
  }

 private:
  tls::engine engine_;
  fed_octets fed_;
};

void add_facts(py::module_& m) {
  using facts = tls::certificate_facts;
  record<facts>(m, "CertificateFacts", "What a certificate says, as far as the rules look at it.")
      .field("names", &facts::names, "The DNS names it proves; may begin with ``*.``.")
      .field("ignored", &facts::ignored, "Names that prove nothing, each with the reason.")
      .field("fingerprint", &facts::fingerprint, "Digest of the certificate (DER).")
      .field("key", &facts::key, "Digest of its subjectPublicKeyInfo (DER).")
      .field("not_before", &facts::not_before, "From when on it is valid.")
      .field("not_after", &facts::not_after, "Until when it is valid.");
  using peer = tls::peer_facts;
  record<peer>(m, "PeerFacts", "What is known of the other side once the handshake is done.")
      .field("certificate", &peer::certificate, "CertificateFacts, or None.")
      .field("chain_verified", &peer::chain_verified, "Against the stores of the context.")
      .field("server_name", &peer::server_name, "The hostpart the connection was opened for.")
      .field("cipher", &peer::cipher, "Protocol and cipher.");
}

void add_context(py::module_& m) {
  py::class_<tls::context>(m, "Context", R"(Our certificates, whom we trust, and the identity rules.

Immutable; safe to use from many threads. To take up changed files make another.

>>> context = Context([("domain.pem", "domain.key")])
Traceback (most recent call last):
    ...
ima.errors.LocalProtocolError: domain.pem: ... [certificate-file]
)")
      .def(py::init(&make_context), "credentials"_a = credentials{}, py::kw_only(),
           "protocol"_a = "imdp", "system_store"_a = true, "ca_file"_a = "", "crl"_a = "",
           "names"_a = "fallback", "now"_a = std::nullopt,
           "Reads the files: (chain, key) for each credential.")
      .def(
          "own_certificate",
          [](const tls::context& c,
             std::string_view domain) -> std::optional<tls::certificate_facts> {
            const auto* found = c.own_certificate(domain);
            if (found == nullptr) return std::nullopt;
            return *found;
          },
          "domain"_a, "The facts of our certificate that proves ``domain``, or None.");
}

void add_engine(py::module_& m) {
  py::class_<engine>(m, "Engine", R"(One TLS 1.3 connection without a socket.

Octets from the network in, octets for it out, with libima's own verification. One thread at a
time.

>>> Engine.client(Context(protocol="imrp"), "b.example", "").handshake_done
False
)")
      .def_static(
          "client",
          [](const tls::context& with, std::string_view hostpart, std::string_view sender) {
            return engine(take(tls::engine::client(with, hostpart, sender)));
          },
          "context"_a, "hostpart"_a, "sender"_a,
          "The connecting side; ``sender`` chooses our certificate by what it proves.")
      .def_static(
          "server",
          [](const tls::context& with) { return engine(take(tls::engine::server(with))); },
          "context"_a, "The accepting side; SNI chooses our certificate.")
      .def("receive", &engine::receive, "data"_a, "Gives octets from the network.")
      .def("receive_eof", &engine::receive_eof, "The network is at its end.")
      .def("read", &engine::read, "size"_a = 65536,
           "Goes on with the handshake and decrypts; empty where more is needed, or closed.")
      .def("write", &engine::write, "data"_a, "Encrypts; all of it is taken.")
      .def("shutdown", &engine::shutdown, "Says that we send no more.")
      .def("take_output", &engine::take_output, "Octets for the network, which are then gone.")
      .def_property_readonly("handshake_done", &engine::handshake_done, "The peer is proved.")
      .def_property_readonly("closed", &engine::closed, "The peer sends no more.")
      .def_property_readonly("peer", &engine::peer, "PeerFacts, once the handshake is done.");
}

}  // namespace

void add_tls(py::module_& m) {
  add_facts(m);
  add_context(m);
  add_engine(m);
  m.def("covers", &tls::covers, "name"_a, "domain"_a,
        R"(Whether a certified name, possibly a wildcard, covers a hostpart.

>>> covers("*.b.example", "x.b.example"), covers("*.b.example", "x.y.b.example")
(True, False)
)");
  m.def(
      "proves",
      [](const tls::certificate_facts& facts, std::string_view domain) {
        take(tls::proves(facts, domain));
      },
      "certificate"_a, "domain"_a,
      "Raises RemoteProtocolError unless the certificate proves the domain.");
  m.def(
      "read_certificate",
      [](std::string_view pem, std::string_view names) {
        return take(tls::read_certificate(pem, policy_from(names)));
      },
      "pem"_a, "names"_a = "fallback", "Reads the first certificate of a PEM text.");
  add_explain(m);
}

}  // namespace ima::python
