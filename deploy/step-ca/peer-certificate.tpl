{{- /*
  What a peer's client certificate says: one grant, one subject, client authentication, and nothing else.
  Both ids come from the one-time token, which only the gateway can sign. Nothing is taken from .Insecure, where
  step-ca puts what the requester wrote: the signing request and templateData. "utf8:" is not optional: without it
  a value that contains a colon or an underscore is cut short or refused.
*/ -}}
{{- $id := "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" -}}
{{- if not (and (kindIs "string" .Token.grantId) (regexMatch $id (toString .Token.grantId))) -}}
{{- fail "the token's grantId is not an id" -}}
{{- end -}}
{{- if not (and (kindIs "string" .Token.subjectUserId) (regexMatch $id (toString .Token.subjectUserId))) -}}
{{- fail "the token's subjectUserId is not an id" -}}
{{- end -}}
{{- if not (and (kindIs "map" .Token.cnf) (hasKey .Token.cnf "x5rt#S256")) -}}
{{- fail "the token is not bound to a signing request" -}}
{{- end -}}
{{- if not (index .Token.cnf "x5rt#S256") -}}
{{- fail "the token is not bound to a signing request" -}}
{{- end -}}
{
  "subject": {},
  "sans": [
    { "type": "1.3.6.1.4.1.99999.1", "value": {{ printf "utf8:%s" .Token.grantId | toJson }} },
    { "type": "1.3.6.1.4.1.99999.2", "value": {{ printf "utf8:%s" .Token.subjectUserId | toJson }} }
  ],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"],
  "basicConstraints": { "isCA": false }
}
