# The main job of scripts/demo, which sources this: three people apply, get codes, retrieve.
tell "Three people apply; each request is durable before the answer comes"
echo "   Their passwords are sealed on the way in and kept as scrypt hashes only."
for sample in scripts/samples/*.json; do
    printf 'demo-password-%s' "$(basename "$sample" .json)" >"$var/people/$(basename "$sample" .json).password"
    printf '%s$ certq submit issue --args %s --secret password=… --wait%s\n' "$bold" "$sample" "$plain"
    certq --json submit issue --args "$sample" --wait=30 \
        --secret password="$var/people/$(basename "$sample" .json).password" \
        >"$var/people/$(basename "$sample" .json).issued"
    indent <"$var/people/$(basename "$sample" .json).issued"
done

tell "The two with a certificate code get it by mail (online banking uses user id and password)"
count_mails() { [ "$(find "$var/mail" -name '*.eml' | wc -l)" -ge "$1" ]; }
wait_for 30 "two mails arriving" count_mails 2
run certq mail list | indent
mail_to() { grep -lE "^To:.*$1|<$1>" "$var"/mail/*.eml | head -n 1; }
echo; echo "   As 花子 reads it:"
scripts/show-mail "$(mail_to hanako@example.jp)" | indent

retrieve() { # retrieve NAME ARGS
    local me=$var/people/$1
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ignored \
        -keyout "$me.key" -out "$me.csr" 2>/dev/null
    python3 -c 'import json,sys
args = json.loads(sys.argv[1]); args["csr"] = open(sys.argv[2]).read()
print(json.dumps(args))' "$2" "$me.csr" >"$me.retrieve"
    shift 2
    certq --json submit retrieve --args "$me.retrieve" --secret password="$me.password" "$@" \
        --wait=30 >"$me.answer"
    field result.pem <"$me.answer" >"$me.pem"
    field result.chain <"$me.answer" >"$me.chain"
    echo "   $(field result.serial <"$me.answer"): $(field result.not_before <"$me.answer") – $(field result.not_after <"$me.answer")"
}
tell "Each makes a key of their own, and retrieves a certificate with it"
for who in 01-hanako:hanako@example.jp 02-taro:taro@example.jp; do
    name=${who%%:*} address=${who#*:}
    scripts/show-mail "$(mail_to "$address")" | grep -oE '[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}' \
        | head -n 1 | tr -d '\n' >"$var/people/$name.code"
    echo "$address, with the code from the mail:"
    retrieve "$name" "{\"email\": \"$address\"}" --secret code="$var/people/$name.code"
done
echo "user maru-0001, with user id and password:"
retrieve 03-banking '{"user_id": "maru-0001"}'

tell "Asked again with the same request, certq gives the same certificate and signs no second one"
cp "$var/people/01-hanako.pem" "$var/people/first.pem"
certq --json submit retrieve --args "$var/people/01-hanako.retrieve" --wait=30 \
    --secret password="$var/people/01-hanako.password" --secret code="$var/people/01-hanako.code" \
    | field result.pem | cmp - "$var/people/first.pem"
echo "   the same, byte for byte"

tell "A wrong code is refused, and the refusal tells nothing"
printf '2222-2222-2222-2222' >"$var/people/wrong.code"
certq submit retrieve --args "$var/people/01-hanako.retrieve" --wait=30 \
    --secret password="$var/people/01-hanako.password" --secret code="$var/people/wrong.code" 2>&1 | indent || true

tell "What there is now"
run certq cert list | indent
run certq queue list | indent

tell "A CRL, and the certificates as other people's software sees them"
run certq crl publish person-ca | indent
run certq crl show person-ca | indent
issuing=$var/ca/person-ca.pem root=$var/ca/root.pem
for me in 01-hanako 02-taro 03-banking; do
    openssl verify -x509_strict -CAfile "$root" -untrusted "$var/people/$me.chain" "$var/people/$me.pem"
    cat "$var/people/$me.pem" "$issuing" "$root" >"$var/people/$me.all"
    certtool --verify --load-ca-certificate "$root" --infile "$var/people/$me.all" 2>&1 \
        | grep -iE 'verified|verification output' | tail -n 1
done | sed "s|$var/people/||" | indent
openssl crl -inform DER -in "$var/crl/person-ca.crl" -CAfile "$issuing" -noout 2>&1 | indent
openssl x509 -in "$var/people/01-hanako.pem" -noout -subject -issuer -dates -ext \
    basicConstraints,keyUsage,extendedKeyUsage,subjectAltName,crlDistributionPoints -nameopt utf8,sep_comma_plus | indent
