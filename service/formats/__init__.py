"""Events as they come and go outside of JSON documents; knows neither HTTP nor the store."""
