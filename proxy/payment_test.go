package proxy

import (
	"net/http"
	"testing"
)

// Where Cloudflare asks for a payment, the caller learns the terms. Other answers with such a header say nothing of it.
func TestTermsOfAPaymentPass(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		terms  string
		want   string
		slug   string
	}{
		{"a payment", 402, "eyJ4NDAyVmVyc2lvbiI6MX0=", "eyJ4NDAyVmVyc2lvbiI6MX0=", "gateway_no_credits"},
		{"no terms", 402, "", "", "gateway_no_credits"},
		{"another failure", 400, "eyJ4NDAyVmVyc2lvbiI6MX0=", "", "bad_input"},
		{"our token in it", 402, "x " + testToken + " y", "x [removed] y", "gateway_no_credits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.terms != "" {
					w.Header().Set("Payment-Required", c.terms)
				}
				answerJSON(c.status, `{}`)(w, r)
			}))
			res, body := b.do("POST", "/v1/chat/completions", chat)
			wantEqual(t, "name", b.envelope(body).Error.Name, c.slug)
			wantEqual(t, "Payment-Required", res.Header.Get("Payment-Required"), c.want)
		})
	}
}
