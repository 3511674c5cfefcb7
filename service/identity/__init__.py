"""Who somebody is, by the word of another service (OpenID Connect)."""

from service.identity.errors import IssuerUnreachableError, TokenRefusedError
from service.identity.issuer import Claims, Issuer

__all__ = ["Claims", "Issuer", "IssuerUnreachableError", "TokenRefusedError"]
