{{- /*
  What a gateway's federation listener shows: the host names and addresses of the token's "sans", server
  authentication, and nothing else. It can't be used as a peer's: it names no grant, and isn't for clients.
*/ -}}
{{- if not (and (kindIs "slice" .Token.sans) .Token.sans) -}}
{{- fail "the token names no hosts" -}}
{{- end -}}
{{- if not (and (kindIs "map" .Token.cnf) (hasKey .Token.cnf "x5rt#S256")) -}}
{{- fail "the token is not bound to a signing request" -}}
{{- end -}}
{{- if not (index .Token.cnf "x5rt#S256") -}}
{{- fail "the token is not bound to a signing request" -}}
{{- end -}}
{
  "subject": {},
  "sans": {{ toJson .SANs }},
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["serverAuth"],
  "basicConstraints": { "isCA": false }
}
