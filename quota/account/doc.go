// Package account reads Cloudflare's own figures about the account: which models
// it has and at what price, what it was billed, and what a token may do. Client
// asks; PriceFeed and Reconciler are the loops that put the answers to use.
//
// The figures come from api.cloudflare.com: prices from ai/models/search, what was
// billed from GraphQL's aiInferenceAdaptiveGroups, which lags behind by minutes.
//
// The package changes nothing at Cloudflare. It knows the ledger and the price
// table, nothing of calls. A token is in no URL, log or error.
//
// Begin with Client, then PriceFeed.Run and Reconciler.Run. Each loop has one
// mutex for its status, which is held for no request.
package account
