// Package modellist makes OpenAI's list of models, which Workers AI does not have, out of Cloudflare's catalog and the
// price table. It is given the catalog in pages and returns JSON; it never knows a call, a client or how a page is
// asked for.
//
// Begin with Request.Answer. There is no lock: nothing here is kept.
package modellist
