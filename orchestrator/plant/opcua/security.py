"""Certificates and keys of a secure channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncua import Client

    from orchestrator.config import OpcUaSettings


async def secure(client: Client, settings: OpcUaSettings) -> None:
    """Set the security policy with our certificate and key."""
    if settings.security_policy == "none" or not (settings.certificate and settings.private_key):
        return
    from asyncua import ua
    from asyncua.crypto import security_policies

    certificate, key = settings.certificate.expanduser(), settings.private_key.expanduser()
    for what, path in (
        ("certificate", certificate),
        ("private_key", key),
        ("server_certificate", settings.server_certificate),
    ):
        if path is not None and not path.expanduser().is_file():
            raise ConfigurationError(
                f"there is no file {str(path)!r}", where=f"plant.source.opcua.{what}"
            )
    uri = _application_uri(certificate.read_bytes())
    if uri is not None:
        client.application_uri = uri
    password = settings.private_key_password
    server = settings.server_certificate
    try:
        await client.set_security(
            getattr(security_policies, f"SecurityPolicy{settings.security_policy}"),
            certificate,
            key,
            password.get_secret_value() if password else None,
            str(server.expanduser()) if server else None,
            mode=getattr(ua.MessageSecurityMode, settings.security_mode),
        )
    except (ValueError, TypeError) as error:
        # The text of the library may quote key material.
        raise ConfigurationError(
            "the certificate or the private key cannot be read",
            where="plant.source.opcua",
            remedy="give PEM or DER files that belong together, and private_key_password if needed",
        ) from error


def _application_uri(certificate: bytes) -> str | None:
    """The application URI in a certificate, which the server compares with the one we state."""
    from cryptography import x509

    try:
        found = (
            x509.load_pem_x509_certificate(certificate)
            if certificate.lstrip().startswith(b"-----BEGIN")
            else x509.load_der_x509_certificate(certificate)
        )
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return None
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    return uris[0] if uris else None
