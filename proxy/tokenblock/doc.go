// Package tokenblock keeps calls with a token that Cloudflare has refused from being sent again and again. It knows one
// token, the proxy's own, and no other package of ours.
package tokenblock
