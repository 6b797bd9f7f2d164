// Package funnel answers the owner's questions: how many customers, where they came from, and where they give up at the checkout.
package funnel
