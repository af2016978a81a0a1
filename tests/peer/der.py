"""As much of X.509's encoding (RFC 5280, X.690) as the names of a certificate need."""

COMMON_NAME = bytes.fromhex("550403")
SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("551d11")
OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, VERSION, EXTENSIONS, DNS_NAME = 6, 4, 48, 0xA0, 0xA3, 0x82
STRINGS = {12: "utf-8", 19: "latin-1", 20: "latin-1", 22: "latin-1", 28: "utf-32-be",
           30: "utf-16-be"}


def values(octets):
    """The values that stand behind one another, each as (tag, content)."""
    while octets:
        tag, size, at = octets[0], octets[1], 2
        if size & 0x80:
            at += size & 0x7F
            size = int.from_bytes(octets[2:at], "big")
        if at + size > len(octets):
            raise ValueError("a value is longer than what holds it")
        yield tag, octets[at:at + size]
        octets = octets[at + size:]


def names(certificate):
    """The dNSNames (None where there is no subjectAltName at all) and the commonNames."""
    (_, whole), = values(certificate)
    (_, signed), *_ = values(whole)
    fields = [(tag, content) for tag, content in values(signed) if tag != VERSION]
    subject = fields[4][1]  # behind serial number, signature, issuer and validity
    extensions = [content for tag, content in fields if tag == EXTENSIONS]
    return alternative_names(extensions), common_names(subject)


def common_names(subject):
    found = []
    for _, relative in values(subject):
        for _, attribute in values(relative):
            (_, kind), (tag, text) = values(attribute)
            if kind == COMMON_NAME:
                found.append(text.decode(STRINGS.get(tag, "latin-1"), errors="replace"))
    return found


def alternative_names(extensions):
    for wrapped in extensions:
        for _, extension in values(next(values(wrapped))[1]):
            (_, kind), *_, (_, content) = values(extension)
            if kind == SUBJECT_ALTERNATIVE_NAME:
                return dns_names(content)
    return None


def dns_names(content):
    """No names where the extension cannot be read, which is not the same as no extension."""
    try:
        (_, sequence), = values(content)
        return [text.decode("latin-1") for tag, text in values(sequence) if tag == DNS_NAME]
    except (IndexError, ValueError):
        return []
