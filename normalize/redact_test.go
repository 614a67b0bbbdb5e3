package normalize

import (
	"net/http"
	"strings"
	"testing"
)

func TestRedactCredentials(t *testing.T) {
	const (
		token40 = "AbCdEfGh0123456789AbCdEfGh0123456789AbCd"
		hex32   = "0123456789abcdef0123456789abcdef"
		jwt     = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJmYWtlIn0.c2ln"
	)
	tests := []struct{ name, in, want string }{
		{"bearer", "Authorization: Bearer abc.def-ghi rejected", "Authorization: Bearer [removed] rejected"},
		{"bearer in JSON", `{"authorization":"Bearer abcdef"}`, `{"authorization":"Bearer [removed]"}`},
		{"Cloudflare token", "token " + token40 + " is bad", "token [removed] is bad"},
		{"Cloudflare token with dashes", "bad v1-" + token40[:37], "bad [removed]"},
		{"user token", "cfut_0123456789abcdef is bad", "[removed] is bad"},
		{"account token", "x=cfat_0123456789abcdef", "x=[removed]"},
		{"OpenAI key", "Incorrect API key provided: sk-proj-0123456789.", "Incorrect API key provided: [removed]"},
		{"JWT", "got " + jwt + ", sorry", "got [removed], sorry"},
		{"account path", "no /accounts/" + hex32 + "/ai/run here", "no [removed] here"},
		{"account path, escaped", `no \/client\/v4\/accounts\/x\/ai here`, "no [removed] here"},
		{"URL", "see https://api.cloudflare.com/client/v4/accounts/x/ai?y=z now", "see https:[removed] now"},
		{"account id", "account " + hex32 + " unknown", "account [removed] unknown"},
		{"global key", "X-Auth-Key: 0123 and X-Auth-Email: a@b", "X-Auth-Key: [removed] and X-Auth-Email: [removed]@b"},
		{"query", "https://x.y/?api_key=short&z=1", "https://x.y/?api_key=[removed]&z=1"},
		{
			"route", "Could not route to /x/secret, with, commas, perhaps your object identifier is invalid?",
			"Could not route to [removed], perhaps your object identifier is invalid?",
		},
		{"route, cut short", "could not route to /x/secret and", "could not route to [removed]"},

		{
			"route without a path", "Could not route to , perhaps your object identifier is invalid?",
			"Could not route to [removed], perhaps your object identifier is invalid?",
		},
		{"shortest key", "key sk-012345678 is bad", "key [removed] is bad"},
		{"key behind a slash", "at x/sk-0123456789abc", "at x/[removed]"},
		{"key in capitals with dashes", "bad Abcd-Efgh-Ijkl-0123456789-abcdefghijklmn", "bad [removed]"},
		{"key with two dashes", "bad abcdefgh-0123456789-abcdefghijklmnopqrst", "bad [removed]"},
		{"key with two lines below", "bad abcdefgh_0123456789_abcdefghijklmnopqrst", "bad [removed]"},
		{"bounds of letters and digits", "bad " + strings.Repeat("azAZ09", 6), "bad [removed]"},
		{"secret after a sign", "password=09az and token=x", "password=[removed] and token=[removed]"},
		{"path that ends the text", "no /accounts/x", "no [removed]"},
		{"path that ends in a bracket", "no </accounts/x?y=z> here", "no <[removed]> here"},

		{"too short for a key", "key sk-01234567 is bad", ""},
		{"too short for an id", "id 0123456789abcdef0123456789abcde", ""},
		{"no digit", "so " + strings.Repeat("abcdefgh", 5), ""},
		{"host", "at something.very.long.example0.host.invalid", ""},
		{"too short for dashes", "bad abcdefgh-0123456789-abcdefghijklmnopqrs", ""},
		{"three dashes in capitals", "bad ABCD-EFGH-IJKL-0123456789-ABCDEFGHIJKLMN", ""},
		{"three dashes in small letters", "bad abcd-efgh-ijkl-0123456789-abcdefghijklmn", ""},
		{"a word that names nothing", "token: x, key: y", ""},
		{"model", "No such model @cf/meta/llama-4-scout-17b-16e-instruct", ""},
		{"long model", "No such model @cf/deepseek-ai/deepseek-r1-distill-qwen-32b-fp8-fast-with-lora-2", ""},
		{"uuid", "request 0c7f8a3e-5b7d-4e2a-9f61-2d0c7b4e9a15 failed", ""},
		{"plans", "Upgrade: https://dash.cloudflare.com/?to=/:account/workers/plans", ""},
		{"headers' names", "Missing X-Auth-Key, X-Auth-Email or Authorization headers", ""},
		{"JSON pointer", "Type mismatch of '/messages/0/content', 'array' not in 'string'", ""},
		{"tokens", "Requested token count exceeds 262144 tokens", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if got := redact(tt.in); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// Whatever a caller pastes must not come back, in the message or in what upstream said.
func TestClassifyRemovesCredentials(t *testing.T) {
	for _, secret := range []string{
		"AbCdEfGh0123456789AbCdEfGh0123456789AbCd",
		"cfut_AbCdEfGh0123456789AbCdEfGh0123456789AbCd", "sk-0123456789abcdef0123",
		"0123456789abcdef0123456789abcdef01234",
	} {
		for _, body := range []string{
			`{"errors":[{"code":7003,"message":"Could not route to \/accounts\/` + secret +
				`\/ai, perhaps your object identifier is invalid?"}]}`,
			`{"errors":[{"code":10000,"message":"Authentication error: Bearer ` + secret + `"}]}`,
			`{"error":{"message":"bad","code":"` + secret + `","param":"` + secret + `"}}`,
			`5006: Bad input: ` + strings.Repeat("é ", 1000) + secret,
			"<html><title>" + secret + "</title></html>",
			`{"errors":[{"message":"Could not route to /` + secret,
		} {
			f := Classify(400, http.Header{}, []byte(body))
			if out := string(f.Append(nil)) + f.Error(); strings.Contains(out, secret) ||
				strings.Contains(out, secret[:20]) {
				t.Errorf("got %s in %s, want it removed", secret, out)
			}
		}
	}
}
