package demo

import (
	"math/rand/v2"

	"github.com/kassa-analytics/kassa/collector"
)

// product is one article of the made-up shop; price in euro cents.
type product struct {
	id, name, category string
	cents              int64
}

var products = []product{
	{"GL-01", "Tumbler, set of 4", "Glass", 2450}, {"GL-02", "Wine glass, set of 6", "Glass", 3990}, {"GL-03", "Carafe", "Glass", 2995},
	{"GL-04", "Storage jar", "Glass", 1250}, {"CE-01", "Dinner plate", "Ceramics", 1495}, {"CE-02", "Soup bowl", "Ceramics", 1295},
	{"CE-03", "Serving dish", "Ceramics", 4450}, {"CE-04", "Teapot", "Ceramics", 5900}, {"CE-05", "Mug", "Ceramics", 990},
	{"WO-01", "Cutting board, oak", "Wood", 3450}, {"WO-02", "Salad servers", "Wood", 1850}, {"WO-03", "Bread box", "Wood", 6900},
	{"TE-01", "Tea towel, set of 3", "Textile", 1690}, {"TE-02", "Tablecloth", "Textile", 5450}, {"TE-03", "Oven mitt", "Textile", 1390},
	{"PA-01", "Frying pan 28 cm", "Pans", 7990}, {"PA-02", "Casserole", "Pans", 12900}, {"PA-03", "Milk pan", "Pans", 4490},
	{"KN-01", "Chef's knife", "Knives", 8450}, {"KN-02", "Paring knife", "Knives", 2490}, {"KN-03", "Whetstone", "Knives", 3900},
	{"GI-01", "Gift card", "Gifts", 5000}, {"GI-02", "Gift wrapping", "Gifts", 395}, {"CA-01", "Beeswax candle", "Gifts", 1150},
}

// origin is one way to the shop.
type origin struct {
	channel  string // as the reports call it
	referrer string
	campaign collector.Campaign
	weight   float64 // share of first visits
	returns  float64 // share of later visits
	appetite float64 // how readily its visitors fill a cart
}

var origins = []origin{
	{channel: "Organic Search", referrer: "https://www.google.com/", weight: 0.30, returns: 0.15, appetite: 1.0},
	{channel: "Direct", weight: 0.18, returns: 0.35, appetite: 1.2},
	{channel: "Paid Search", referrer: "https://www.google.com/", campaign: collector.Campaign{Source: "google", Medium: "cpc", Name: "kitchen-autumn"}, weight: 0.17, returns: 0.05, appetite: 1.1},
	{channel: "Organic Social", referrer: "https://www.instagram.com/", weight: 0.14, returns: 0.05, appetite: 0.6},
	{channel: "Email", campaign: collector.Campaign{Source: "newsletter", Medium: "email", Name: "monthly"}, weight: 0.06, returns: 0.30, appetite: 1.6},
	{channel: "Referral", referrer: "https://keukenblog.example/beste-pannen", weight: 0.10, returns: 0.05, appetite: 0.9},
	{channel: "AI Assistant", referrer: "https://chatgpt.com/", weight: 0.05, returns: 0.05, appetite: 1.3},
}

var payments = []struct {
	name   string
	weight float64
}{{"bancontact", 0.42}, {"card", 0.27}, {"ideal", 0.13}, {"wallet", 0.18}}

// failingPayment is the method that fails in a planted stretch of days.
const failingPayment = "wallet"

var languages = []string{"nl", "nl", "nl", "fr", "fr", "en", "de"}

var devices = []struct {
	name   string
	weight float64
}{{"mobile", 0.57}, {"desktop", 0.37}, {"tablet", 0.06}}

// hours and weekdays are the shop's rhythm: the share of a day's visits in each hour, the weight of each day from Sunday.
var (
	hours    = [24]float64{1.2, .6, .3, .2, .2, .4, 1.2, 2.6, 3.8, 4.6, 5, 5.2, 5.6, 5.2, 4.8, 4.8, 5, 5.4, 6, 7.6, 9, 9, 6.6, 3.2}
	weekdays = [7]float64{1.3, 1.05, .95, .9, .95, .9, 1.1}
)

// pick chooses an index by weight.
func pick(r *rand.Rand, n int, weight func(int) float64) int {
	total := 0.0
	for i := range n {
		total += weight(i)
	}
	x := r.Float64() * total
	for i := range n {
		if x -= weight(i); x < 0 {
			return i
		}
	}
	return n - 1
}
